#include "wire/control.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace slipway::wire::control {
namespace {

using namespace std::chrono_literals;

template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().what;
    return T{};
  }
  return std::move(*result);
}

TEST(Control, EveryRequestSurvivesTheTrip) {
  const std::vector<Request> requests = {
      Set{{payload::OutputVariable::Kind::output, "version", "1"}},
      Set{{payload::OutputVariable::Kind::var, "v", ""}},
      Mask{"pässword\n"},
      Trigger{R"({"jobs":[{"job_name":"x"}]})"},
      Annotate{{payload::Annotation::Level::warning, "t", "m", "f", 3}},
      Artifact{"logs", {"a", "b/**"}},
      Group{{true, "build"}},
      AskOwner{"state", R"({"what":"job_result","job":"x"})"},
      AskOwner{"changed_files", R"({"from":"a"})"},
      AskOwner{"git_info", "{}"},
      RunStep{"unit tests", {"make", "check"}, std::vector<std::string>{"A=b=c", "E="}, "/job/src", 90s},
      RunStep{"x", {"true"}, {}, {}, {}},
      AskOwner{"state", R"({"what":"deploy_in_progress","environment":"production"})"},
      Sandbox{{0, {"sh", "-c", "make\n"}, "/job/src", {"/job/share"}, {"out/app"}}},
  };
  for (const Request& request : requests) {
    const Request back = must(decode_request(encode(request)));
    EXPECT_EQ(encode(back), encode(request));
  }
}

TEST(Control, RefusesNamesAndSizesBeyondTheLimits) {
  EXPECT_FALSE(decode_request(encode(Request(Set{{payload::OutputVariable::Kind::output, "a b", "1"}}))));
  EXPECT_FALSE(decode_request(
      encode(Request(Set{{payload::OutputVariable::Kind::output, "a", std::string(kMaxValue + 1, 'x')}}))));
  EXPECT_FALSE(decode_request(encode(Request(Mask{std::string(kMaxSecret + 1, 'x')}))));
  EXPECT_FALSE(decode_request(encode(Request(Trigger{"[]"}))));
  EXPECT_FALSE(decode_request(encode(Request(Artifact{"a", {}}))));
  EXPECT_FALSE(decode_request(R"({"do":"annotate","message":"m","line":-1})"));
  EXPECT_FALSE(decode_request(R"({"do":"exec"})"));
  for (const char* const step :
       {R"("name":"a")", R"("name":"","argv":["x"])", R"("name":"a\nb","argv":["x"])",
        R"("name":"a","argv":["x\u0000"])", R"("name":"a","argv":["x"],"env":{"A=B":"c"})",
        R"("name":"a","argv":["x"],"env":{"A":1})", R"("name":"a","argv":["x"],"working_dir":"src")",
        R"("name":"a","argv":["x"],"timeout_ms":0)", R"("name":"a","argv":["x"],"timeout_ms":-5)",
        R"("name":"a","argv":["x"],"timeout_ms":9223372036854775807)"}) {
    EXPECT_FALSE(decode_request(fmt::format(R"({{"do":"step",{}}})", step))) << step;
  }
  EXPECT_FALSE(decode_request(std::string(100'000, '[')));
}

TEST(Control, AnswersSurviveTheTrip) {
  const Answer yes = must(decode_answer(encode(Answer{true, R"({"masked":true})", {}, {}})));
  EXPECT_TRUE(yes.ok);
  EXPECT_EQ(yes.result, R"({"masked":true})");
  const Answer no = must(decode_answer(encode(Answer{false, "{}", ErrorKind::unavailable, "gone"})));
  EXPECT_FALSE(no.ok);
  EXPECT_EQ(no.kind, ErrorKind::unavailable);
  EXPECT_EQ(no.error, "gone");
}

TEST(Control, FramesComeOutWholeWhateverTheSplit) {
  const std::string stream = frame("one") + frame("") + frame("three");
  Unframer unframer(16);
  std::vector<std::string> texts;
  for (const char c : stream) {
    ASSERT_TRUE(unframer.feed(std::string_view(&c, 1)));
    while (auto text = unframer.next()) texts.push_back(*text);
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"one", "", "three"}));
}

TEST(Control, AFrameOverTheLimitIsRefusedAtItsPrefix) {
  Unframer unframer(16);
  EXPECT_FALSE(unframer.feed(frame(std::string(17, 'x')).substr(0, 4)));
}

}  // namespace
}  // namespace slipway::wire::control
