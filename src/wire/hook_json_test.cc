#include "wire/hook_json.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace slipway::wire {
namespace {

TEST(HookContext, TellsWhereTheJobStandsAndNoSecret) {
  model::JobSpec job;
  job.job = "test";
  job.secrets.emplace_back().name = "KEY";
  model::StepResult built;
  built.name = "build";
  built.outcome = model::Outcome::failed;
  built.exit_code = 3;
  HookContext context{.phase = model::Phase::on_error, .workspace = "/job", .job_code = "/job/ci", .event_file = {}};
  context.error = "step `build`: exit code 3";
  context.steps.push_back({model::Phase::steps, &built, "exit code 3"});
  const std::string text = encode(context, job);
  const auto object = parse_object(text, "");
  ASSERT_TRUE(object) << text;
  EXPECT_EQ(text_at(*object, "phase"), "on_error");
  EXPECT_EQ(text_at(*object, "job_code"), "/job/ci");
  EXPECT_EQ(text_at(*object, "source"), "/job/src");
  EXPECT_TRUE(object->at("event_file").is_null());
  EXPECT_EQ(object->at("steps").as_array().at(0).as_object().at("exit_code").as_int64(), 3);
  EXPECT_EQ(text.find("KEY"), std::string::npos);
}

TEST(HookChanges, AreEnvironmentOutputsAndVariables) {
  const auto changes =
      decode_hook_changes(R"({"env":{"A":"1","N":2,"B":true},"outputs":{"v":"1.2"},"vars":{"x":"y"}})");
  ASSERT_TRUE(changes) << changes.error().what;
  EXPECT_EQ(changes->env, (model::Variables{{"A", "1"}, {"N", "2"}, {"B", "true"}}));
  EXPECT_EQ(changes->outputs, (model::Variables{{"v", "1.2"}}));
  EXPECT_EQ(changes->vars, (model::Variables{{"x", "y"}}));
  for (const char* nothing : {"", " \n", "{}", R"({"env":null})"}) {
    EXPECT_TRUE(decode_hook_changes(nothing)) << nothing;
  }
}

TEST(HookChanges, KeepTheDigitsOfNumbers) {
  const auto changes = decode_hook_changes(R"({"env":{"A":20301122000000000000042},"outputs":{"v":1.50}})");
  ASSERT_TRUE(changes) << changes.error().what;
  EXPECT_EQ(changes->env, (model::Variables{{"A", "20301122000000000000042"}}));
  EXPECT_EQ(changes->outputs, (model::Variables{{"v", "1.50"}}));
}

TEST(HookChanges, RefusesTheRest) {
  for (const char* bad :
       {"{", "[]", "3", R"({"env":[]})", R"({"env":{"A":null}})", R"({"env":{"A":{}}})", R"({"env":{"A=B":"1"}})",
        R"({"env":{"":"1"}})", R"({"env":{"SLIPWAY_SOCKET":"x"}})", R"({"env":{"A":"\u0000"}})", R"({"command":"x"})",
        R"({"outputs":{"a b":"1"}})", R"({"env":{}} {})"}) {
    EXPECT_FALSE(decode_hook_changes(bad)) << bad;
  }
}

}  // namespace
}  // namespace slipway::wire
