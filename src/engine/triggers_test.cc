#include "engine/triggers.h"

#include <map>

#include <gtest/gtest.h>

#include "model/plan.h"

namespace slipway::engine {
namespace {

using model::Template;

model::Run run_with_one_job() {
  auto workflow = std::make_shared<model::Workflow>();
  model::JobDefinition job;
  job.name = "test";
  job.image = Template::of("/img");
  job.env = {{"CC", Template::of("gcc")}};
  job.secrets = {{.name = "KEY", .env = "KEY"}};
  job.timeout = std::chrono::minutes(7);
  workflow->jobs = {job};
  workflow->templates["deploy"] = {.params = {{"to", {.required = true}}}, .job = {}};
  return *model::plan({.id = RunId("r1"), .workflow = workflow});
}

std::vector<model::AskedJob> read(const std::string& json) {
  const model::Run run = run_with_one_job();
  JsonTriggerReader reader({});
  return reader.read(run, run.jobs.front(), json, model::Trust::trusted).jobs;
}

TEST(Triggers, ACompleteJobInheritsAllButSecrets) {
  const auto asked = read(
      R"({"type":"trigger_job","jobs":[{"job_name":"more","job_command":"make more","env":{"N":3,"CC":"clang"}}]})");
  ASSERT_EQ(asked.size(), 1U);
  ASSERT_TRUE(asked[0].definition) << asked[0].problem;
  const model::JobDefinition& job = *asked[0].definition;
  EXPECT_EQ(job.image->literal(), "/img");
  EXPECT_EQ(job.timeout, std::chrono::minutes(7));
  EXPECT_TRUE(job.secrets.empty());
  ASSERT_EQ(job.env.size(), 2U);
  for (const auto& [name, value] : job.env) EXPECT_EQ(value.literal(), name == "N" ? "3" : "clang");
  EXPECT_EQ(std::get<model::Script>(job.steps.at(0).action).text, "make more");
}

TEST(Triggers, ChoosesOnlyAmongTheImagesOfTheRun) {
  for (const char* image : {"host", "/img"}) {
    const auto asked = read(std::string(R"({"job_name":"x","run":"true","image":")") + image + "\"}");
    ASSERT_TRUE(asked.at(0).definition) << asked[0].problem;
    EXPECT_EQ(asked[0].definition->image->literal(), image);
  }
  for (const char* image : {"/", "/var/lib", "/img/.."}) {
    const auto asked = read(std::string(R"({"job_name":"x","run":"true","container_image":")") + image + "\"}");
    EXPECT_FALSE(asked.at(0).definition) << image;
    EXPECT_NE(asked[0].problem.find("a trigger may name"), std::string::npos);
  }
}

TEST(Triggers, WhatSourceMayHaveAskedForIsUntrusted) {
  const auto trust_of_asked = [](model::Trust source, model::Trust text) {
    model::Run run = run_with_one_job();
    run.options.source_trust = source;
    auto definition = std::make_shared<model::JobDefinition>(*run.groups[0].definition);
    definition->trust = text;
    definition->steps.resize(1);
    run.groups[0].definition = definition;
    JsonTriggerReader reader({});
    return reader.read(run, run.jobs.front(), R"({"job_name":"x","run":"true"})", model::Trust::trusted)
        .jobs.at(0)
        .definition->trust;
  };
  using model::Trust;
  EXPECT_EQ(trust_of_asked(Trust::trusted, Trust::trusted), Trust::trusted);
  EXPECT_EQ(trust_of_asked(Trust::trusted, Trust::untrusted), Trust::untrusted);
  // The asker holds a secret, so that the source is kept apart from it and cannot ask.
  EXPECT_EQ(trust_of_asked(Trust::untrusted, Trust::trusted), Trust::trusted);
}

TEST(Triggers, AJobThatIsAskedForHasTheCodeOfTheAsker) {
  model::Run run = run_with_one_job();
  auto definition = std::make_shared<model::JobDefinition>(*run.groups[0].definition);
  definition->ci_code = model::CodeLocation{"/ci", Template::of("main"), "run.sh", {}};
  definition->source_code = model::CodeLocation{"/app", Template::of("v1"), {}, {}};
  run.groups[0].definition = definition;
  JsonTriggerReader reader({});
  const auto asked = reader.read(run, run.jobs.front(), R"({"job_name":"x","run":"true"})", model::Trust::trusted).jobs;
  ASSERT_TRUE(asked.at(0).definition) << asked[0].problem;
  EXPECT_EQ(asked[0].definition->ci_code->url, "/ci");
  EXPECT_EQ(asked[0].definition->source_code->ref.literal(), "v1");
}

TEST(Triggers, AJobObjectAloneIsATrigger) { EXPECT_TRUE(read(R"({"job_name":"x","run":"true"})").at(0).definition); }

TEST(Triggers, LooksNamesUpInTheTemplatesOfTheWorkflow) {
  EXPECT_EQ(read(R"({"job_name":"deploy","with":{"to":"eu"}})").at(0).problem, "");
  EXPECT_EQ(read(R"({"job_name":"deploy"})").at(0).problem, "input `to` is required");
}

TEST(Triggers, SaysWhatIsWrong) {
  for (const char* bad :
       {"{", "3", R"({"type":"other"})", R"({"version":1})", R"({"jobs":3})", R"([3])", R"({"run":"x"})",
        R"({"job_name":"unknown"})", R"({"job_name":"x","run":"y","env":[]})",
        R"({"job_name":"x","run":"y","env":{"A":[1]}})", R"({"job_name":"x","run":"y","timeout":"10m"})",
        R"({"job_name":"x","run":"y","timeout":-1})", R"({"job_name":"x","run":"y","condition":"branch == 1"})",
        R"({"job_name":"x","run":"y","depends_on":"z"})", R"({"workflows":[]})"}) {
    const auto asked = read(bad);
    ASSERT_EQ(asked.size(), 1U) << bad;
    EXPECT_FALSE(asked[0].definition) << bad;
    EXPECT_NE(asked[0].problem, "") << bad;
  }
}

TEST(Triggers, NamesTheKeyWhatWasExpectedAndWhatItIs) {
  for (const auto& [bad, problem] : std::map<std::string, std::string>{
           {R"({"job_name":7,"run":"y"})", "`job_name` must be a text, not a number"},
           {R"({"job_name":"x","run":"y","timeout":"10m"})", "`timeout` must be a number of seconds, not a text"},
           {R"({"job_name":"x","run":"y","priority":101})", "`priority` is a number from 0 to 100, not 101"},
           {R"({"job_name":"x","run":"y","env":{"A":null}})", "`env.A` must be a text, number or boolean, not null"},
           {R"j({"job_name":"x","run":"y","condition":"always(needs)"})j",
            "condition `always(needs)`: a trigger knows all_success, any_failed and always"},
           {R"j({"job_name":"x","run":"y","condition":"any_failed(needs"})j",
            "condition `any_failed(needs`: a trigger knows all_success, any_failed and always"},
           {R"({"job_name":"x","run":"y","resources":{"cpu":{"limt":"2"}}})",
            "unknown key `resources.cpu.limt` in a trigger: did you mean `limit`?"},
           {R"({"jobs":[],"workflow":{"org":"x"}})", "`org`: whose a job is, is not for the job to say"},
           {R"({"job_name":"deploy","with":"eu"})", "`with` must be an object, not a text"},
           {R"({"job_name":"deploy","with":{"to":[]}})", "`with.to` must be a text, number or boolean, not a list"},
           {R"({"type":"trigger_job","jobs":"x"})", "`jobs` must be a list, not a text"}}) {
    EXPECT_EQ(read(bad).at(0).problem, problem);
  }
  EXPECT_EQ(read(R"({"job_name":"x","run":"y","image":null,"timeout":null})").at(0).problem, "");
  EXPECT_EQ(read(R"j({"job_name":"x","run":"y","condition":"any_failed (needs)"})j").at(0).problem, "");
}

TEST(Triggers, RefusesTooManyJobsAndTooMuchText) {
  std::string many = R"({"jobs":[)";
  for (int i = 0; i < 65; ++i) many += R"({"job_name":"x","run":"y"},)";
  many.back() = ']';
  many += '}';
  EXPECT_FALSE(read(many).at(0).definition);
  EXPECT_FALSE(read(std::string((1U << 20U) + 1, ' ')).at(0).definition);
}

}  // namespace
}  // namespace slipway::engine
