#include "net/http.h"

#include <sys/socket.h>

#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "os/files.h"

namespace slipway::net {
namespace {

using namespace std::chrono_literals;

// One end speaks HTTP as a client, the other is written to by hand.
struct Line {
  Line() : pair(*os::make_socket_pair()), client(std::move(pair.first)) {}
  void says(std::string_view text) { ASSERT_TRUE(os::write_all(pair.second.get(), text)); }
  void hangs_up() { pair.second.reset(); }
  std::string heard() {
    std::string text(65536, 0);
    const ssize_t got = ::recv(pair.second.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }
  os::SocketPair pair;
  HttpConnection client;
};

os::CallLimit soon() { return os::within(5s); }

TEST(Http, RequestIsWrittenAsItIs) {
  Line line;
  ASSERT_TRUE(line.client.send({"POST", "/a?b=c", {{"Content-Type", "application/json"}}, "{}"}, soon()));
  EXPECT_EQ(line.heard(),
            "POST /a?b=c HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

TEST(Http, AnswerWithALengthLeavesTheConnectionUsable) {
  Line line;
  line.says("HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello");
  const auto answer = line.client.call({"GET", "/", {}, {}}, soon());
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, "hello");
  EXPECT_TRUE(line.client.is_reusable());
  line.hangs_up();
  EXPECT_FALSE(line.client.is_reusable());
}

TEST(Http, ChunksArriveAsTheyCome) {
  Line line;
  std::string seen;
  std::thread daemon([&] {
    for (const char* part :
         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chu", "nked\r\n\r\n4\r\nab\nc\r\n3", "\r\nd\ne\r\n", "0\r\n\r\n"}) {
      line.says(part);
    }
  });
  LineCutter lines([&](std::string_view one) -> Result<void> {
    seen += std::string(one) + "|";
    return {};
  });
  const auto answer = line.client.receive(soon(), [&](std::string_view piece) { return lines.take(piece); });
  daemon.join();
  ASSERT_TRUE(answer) << answer.error().what;
  ASSERT_TRUE(lines.finish());
  EXPECT_EQ(seen, "ab|cd|e|");
  EXPECT_TRUE(line.client.is_reusable());
}

TEST(Http, BodyOfARefusalIsKeptThoughThereIsASink) {
  Line line;
  line.says("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
  const auto answer =
      line.client.receive(soon(), [](std::string_view) -> Result<void> { return fail(ErrorKind::internal, "no"); });
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "none");
}

TEST(Http, AnswerWithoutABodyEndsAtItsHeader) {
  Line line;
  line.says("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(line.client.receive(soon())->status, 204);
  EXPECT_EQ(line.client.receive(soon())->status, 200);
}

TEST(Http, BodyWithoutALengthLastsUntilTheEnd) {
  Line line;
  line.says("HTTP/1.0 200 OK\r\n\r\nall of it");
  line.hangs_up();
  const auto answer = line.client.receive(soon());
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->body, "all of it");
  EXPECT_FALSE(line.client.is_reusable());
}

TEST(Http, EndInTheMiddleIsAnError) {
  for (const char* part : {"", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nsho"}) {
    Line line;
    line.says(part);
    line.hangs_up();
    const auto answer = line.client.receive(soon());
    ASSERT_FALSE(answer) << part;
    EXPECT_EQ(answer.error().kind, ErrorKind::unavailable) << part;
    EXPECT_FALSE(line.client.is_reusable());
  }
}

TEST(Http, SizesAreLimited) {
  auto pair = os::make_socket_pair();
  HttpConnection client(std::move(pair->first), {.header_bytes = 1000, .body_bytes = 10});
  ASSERT_TRUE(os::write_all(pair->second.get(), "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890"));
  EXPECT_EQ(client.receive(soon()).error().kind, ErrorKind::exhausted);
  auto other = os::make_socket_pair();
  HttpConnection strict(std::move(other->first), {.header_bytes = 1000, .body_bytes = 10});
  ASSERT_TRUE(os::write_all(other->second.get(), "HTTP/1.1 200 OK\r\nA: " + std::string(2000, 'a') + "\r\n\r\n"));
  EXPECT_EQ(strict.receive(soon()).error().kind, ErrorKind::exhausted);
}

TEST(Http, WaitsNoLongerThanTold) {
  Line line;
  EXPECT_EQ(line.client.receive(os::within(10ms)).error().kind, ErrorKind::timeout);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(line.client.receive(os::within(10s, stop.get_token())).error().kind, ErrorKind::cancelled);
}

TEST(Http, ControlCharactersNeverBecomeHeaders) {
  Line line;
  EXPECT_EQ(line.client.send({"GET", "/a\r\nX: y", {}, {}}, soon()).error().kind, ErrorKind::invalid);
  EXPECT_EQ(line.client.send({"GET", "/a b", {}, {}}, soon()).error().kind, ErrorKind::invalid);
  EXPECT_EQ(line.client.send({"GET", "/", {{"A", "b\nC: d"}}, {}}, soon()).error().kind, ErrorKind::invalid);
  EXPECT_EQ(escape_component("a/b:c é"), "a%2Fb%3Ac%20%C3%A9");
}

// Whatever comes, the call returns, and never with more than it may.
TEST(Http, BrokenAnswersEndInAnError) {
  const std::string whole =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer: x\r\n\r\n5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\n\r\n";
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::string text = whole;
    for (int change = static_cast<int>(random() % 4); change >= 0; --change) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0: text[at] = static_cast<char>(random()); break;
        case 1: text.erase(at, random() % 8); break;
        default: text.insert(at, text.substr(random() % text.size(), random() % 8)); break;
      }
      if (text.empty()) text = "H";
    }
    Line line;
    line.says(text);
    line.hangs_up();
    const auto answer = line.client.receive(os::within(1s));
    if (answer) {
      EXPECT_LE(answer->body.size(), text.size()) << seed;
    } else {
      EXPECT_NE(answer.error().kind, ErrorKind::timeout) << seed << "\n" << text;
    }
  }
}

}  // namespace
}  // namespace slipway::net
