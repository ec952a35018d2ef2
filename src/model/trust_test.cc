#include "model/trust.h"

#include <gtest/gtest.h>

#include "model/plan.h"

namespace slipway::model {
namespace {

/// A job with a secret in a run about a fork's code; its text is the team's own.
JobSpec beside_a_fork() {
  JobSpec job;
  job.source_trust = Trust::untrusted;
  job.secrets = {{.name = "KEY", .env = "KEY"}};
  job.steps.resize(1);
  job.separated = true;
  return job;
}

TEST(Trust, AForksPullRequestIsAStrangers) {
  Event event;
  EXPECT_EQ(trust_of(event), Trust::trusted);
  event.pull_request = PullRequest{.number = 7, .fork = false};
  EXPECT_EQ(trust_of(event), Trust::trusted);
  event.pull_request->fork = true;
  EXPECT_EQ(trust_of(event), Trust::untrusted);
}

TEST(Trust, UntrustedTextHoldsNoSecrets) {
  JobSpec job = beside_a_fork();
  EXPECT_TRUE(check_secrets_beside_source(job));
  job.text_trust = Trust::untrusted;
  EXPECT_EQ(check_secrets_beside_source(job).error().kind, ErrorKind::denied);
  job.secrets.clear();
  EXPECT_TRUE(check_secrets_beside_source(job));
  job.steps[0].secrets = {{.name = "KEY", .env = "KEY"}};
  EXPECT_FALSE(check_secrets_beside_source(job));
  job.secrets_with_source = true;
  EXPECT_TRUE(check_secrets_beside_source(job));
}

TEST(Trust, UntrustedTextNamesNoOtherPlace) {
  JobSpec job = beside_a_fork();
  job.source_code = CodeSpec{.url = "https://git.example.org/private.git", .ref = {}, .path = {}, .revision = {}};
  EXPECT_TRUE(check_code_places(job));
  job.text_trust = Trust::untrusted;
  EXPECT_FALSE(check_code_places(job));
  job.source_code = CodeSpec{.url = {}, .ref = {}, .path = "app", .revision = {}};
  EXPECT_TRUE(check_code_places(job));
}

TEST(Trust, UntrustedTextNamesNoDirectoryOfThisMachine) {
  JobSpec job = beside_a_fork();
  job.image = "/srv/root";
  job.text_trust = Trust::untrusted;
  EXPECT_TRUE(check_code_places(job)) << "who runs it gave it";
  job.image_of_text = true;
  EXPECT_FALSE(check_code_places(job));
  job.image = "host";
  EXPECT_TRUE(check_code_places(job));
  job.services = {{"db", "/srv/root", {}, {}, {}}};
  EXPECT_FALSE(check_code_places(job));
}

TEST(Trust, WhatSourceCouldWriteIsOfSource) {
  JobSpec job = beside_a_fork();
  const auto of_source = [&](const std::string& path, std::vector<std::string> shares = {}) {
    job.artifacts = {{"dist", {path}, {}, {}}};
    return may_be_of_source(job, "dist", shares);
  };
  for (const char* path : {"dist/*", "/job/src", "/job/src/dist/*", "/job//src/x", "/job/./src", "/job/from-source/x",
                           "/job/**", "/*", "**"})
    EXPECT_TRUE(of_source(path)) << path;
  for (const char* path : {"/job/signed", "/job/artifacts/**", "/job/srcs/x"}) EXPECT_FALSE(of_source(path)) << path;
  EXPECT_TRUE(of_source("/job/out/a", {"/job/out"}));
  EXPECT_TRUE(of_source("/job/out/*", {"/job/out/deep"}));
  EXPECT_FALSE(of_source("/job/out/*", {"/job/other"}));
  EXPECT_TRUE(may_be_of_source(job, "not declared", {}));
}

TEST(Trust, WithoutAWallAllIsOfSource) {
  JobSpec job = beside_a_fork();
  job.artifacts = {{"signed", {"/job/signed"}, {}, {}}};
  EXPECT_FALSE(may_be_of_source(job, "signed", {}));
  job.separated = false;
  EXPECT_TRUE(may_be_of_source(job, "signed", {}));
  job.source_trust = Trust::trusted;
  EXPECT_FALSE(may_be_of_source(job, "signed", {}));
  EXPECT_FALSE(may_be_of_source(job, "not declared", {}));
}

TEST(Trust, AJobWithSecretsTakesInNothingTainted) {
  JobSpec job = beside_a_fork();
  EXPECT_FALSE(check_tainted_input(job, "the cache"));
  job.secrets.clear();
  EXPECT_TRUE(check_tainted_input(job, "the cache"));
}

/// One job with a secret in a run about a fork, resolved.
JobSpec resolved(const JobDefinition& definition, RunOptions options) {
  auto workflow = std::make_shared<Workflow>();
  workflow->jobs = {definition};
  const Run run = *plan(
      {.id = RunId("r"), .workflow = workflow, .event = {}, .options = std::move(options), .facts = {}, .now = {}});
  return *resolve(run, 0, AttemptId(), 1, Purpose::preview);
}

TEST(Trust, TheSourceIsKeptApartFromSecrets) {
  JobDefinition job;
  job.name = "sign";
  job.steps.resize(1);
  RunOptions fork;
  fork.source_trust = Trust::untrusted;
  EXPECT_FALSE(resolved(job, fork).separated);
  job.secrets = {{.name = "KEY", .env = "KEY"}};
  EXPECT_FALSE(resolved(job, {}).separated);
  EXPECT_TRUE(resolved(job, fork).separated);
}

TEST(Trust, JobCodeOfTheCheckoutIsAsGoodAsItsCommit) {
  JobDefinition job;
  job.name = "sign";
  job.ci_code = CodeLocation{.url = {}, .ref = {}, .path = "ci/run.sh", .place = {}};
  RunOptions options;
  options.checkout_trust = Trust::untrusted;
  EXPECT_EQ(resolved(job, options).text_trust, Trust::untrusted);
  EXPECT_TRUE(resolved(job, options).code_entrypoint);
  job.ci_code->url = "https://git.example.org/ci.git";
  EXPECT_EQ(resolved(job, options).text_trust, Trust::trusted);
}

TEST(Trust, ARefIsExpandedAndItsPinTaken) {
  JobDefinition job;
  job.name = "j";
  job.steps.resize(1);
  job.source_code = CodeLocation{.url = "/app", .ref = Template::of("main"), .path = {}, .place = {}};
  RunOptions options;
  options.code = {{"/app", "other", "1111"}, {"/app", "main", "2222"}};
  EXPECT_EQ(resolved(job, options).source_code->revision, "2222");
}

}  // namespace
}  // namespace slipway::model
