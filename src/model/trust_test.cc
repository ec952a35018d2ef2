#include "model/trust.h"

#include <gtest/gtest.h>

#include "model/builders_for_test.h"
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

TEST(Trust, UntrustedTextNamesNoImageOfThisMachine) {
  JobSpec job = beside_a_fork();
  job.image = "/srv/root";
  job.text_trust = Trust::untrusted;
  EXPECT_TRUE(check_code_places(job)) << "who runs it gave it";
  job.image_of_text = true;
  EXPECT_FALSE(check_code_places(job));
  const std::string id(64, 'a');
  for (const std::string& image :
       {std::string("oci:/srv/layout:1"), std::string("docker-archive:/srv/a.tar"), "sha256:" + id, id,
        std::string("docker-daemon:app"), std::string("./root"), std::string("cafe"), std::string()}) {
    job.services.clear();
    job.image = image;
    EXPECT_FALSE(check_code_places(job)) << image;
    job.image = "host";
    EXPECT_TRUE(check_code_places(job));
    job.services = {{"db", image, {}, {}, {}}};
    EXPECT_FALSE(check_code_places(job)) << image;
  }
  job.services.clear();
  for (const char* image :
       {"debian", "debian:12", "cafe:latest", "registry.example.org:5000/team/tool@sha256:00", "oci/tool"}) {
    job.image = image;
    EXPECT_TRUE(check_code_places(job)) << image;
  }
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

/// `sign` holds a secret, `build` comes before it; what is said of the first of the two.
class Steered : public testing::Test {
 protected:
  Steered() {
    build_.outputs = {"dir"};
    sign_.secrets = {{.name = "KEY", .env = "KEY"}};
    options_.source_trust = Trust::untrusted;
  }
  Result<JobSpec> sign() const {
    const auto run = planned(workflow({build_, sign_}), options_, event_);
    return resolve(*run, 1, AttemptId(), 1, Purpose::preview);
  }
  std::string refusal() const {
    const auto spec = sign();
    return spec ? "" : std::string(spec.error().kind == ErrorKind::denied ? "denied: " : "") + spec.error().what;
  }

  const Template output_ = hole({"outputs", "build", "dir"});
  JobDefinition build_ = job("build"), sign_ = job("sign", {"build"});
  RunOptions options_;
  Event event_{.kind = EventKind::pull_request,
               .branch = "fix",
               .pull_request = PullRequest{.number = 7, .title = "t", .base = "main", .head = "fix", .fork = true}};
};

TEST_F(Steered, AJobWithSecretsGoesWhereNoStrangerPoints) {
  EXPECT_EQ(refusal(), "");
  const JobDefinition plain = sign_;
  const auto refused_with = [&](auto&& change) {
    sign_ = plain;
    change(sign_);
    const std::string text = refusal();
    return text.starts_with("denied: ") && text.find("slipway help E112") != std::string::npos;
  };
  EXPECT_TRUE(refused_with([&](JobDefinition& job) { job.image = output_; }));
  EXPECT_TRUE(refused_with([&](JobDefinition& job) { job.working_dir = output_; }));
  EXPECT_TRUE(refused_with([&](JobDefinition& job) { job.steps[0].working_dir = output_; }));
  EXPECT_TRUE(refused_with([&](JobDefinition& job) { job.services = {{.name = "db", .image = output_}}; }));
  EXPECT_TRUE(refused_with([&](JobDefinition& job) { job.cache = {{.key = Template::of("k"), .paths = {output_}}}; }));
  EXPECT_TRUE(
      refused_with([&](JobDefinition& job) { job.artifacts = {{.name = Template::of("a"), .paths = {output_}}}; }));
  for (const char* name : {"title", "head"}) {
    EXPECT_TRUE(refused_with([&](JobDefinition& job) { job.image = hole({"pr", name}); })) << name;
  }
  EXPECT_TRUE(refused_with([&](JobDefinition& job) { job.image = hole({"branch"}); }));
  EXPECT_FALSE(refused_with([&](JobDefinition& job) { job.image = hole({"pr", "base"}); }));
  EXPECT_FALSE(refused_with([&](JobDefinition& job) { job.env = {{"DIR", output_}}; }));
}

TEST_F(Steered, VariablesAndItemsPassOnWhatTheyAreMadeOf) {
  sign_.env = {{"A", output_}, {"B", hole({"env", "A"})}};
  sign_.image = hole({"env", "B"});
  EXPECT_NE(refusal().find("`image` is chosen by `outputs.build.dir`"), std::string::npos) << refusal();
  sign_.image.reset();
  sign_.steps[0].env = {{"C", output_}};
  sign_.steps[0].working_dir = hole({"env", "C"});
  EXPECT_NE(refusal(), "");
}

TEST_F(Steered, OnlyByWhatUntrustedSourceMayHaveSaid) {
  sign_.image = output_;
  build_.secrets = sign_.secrets;  // its source is kept apart
  EXPECT_EQ(refusal(), "");
  build_.trust = Trust::untrusted;
  EXPECT_NE(refusal(), "");
  options_.secrets_with_source = true;
  EXPECT_EQ(refusal(), "");
  options_ = {};
  EXPECT_EQ(refusal(), "");
  options_.source_trust = Trust::untrusted;
  sign_.secrets.clear();
  EXPECT_EQ(refusal(), "");
  sign_.secrets = build_.secrets;
  options_.image = "debian:12";  // in place of what the text says
  EXPECT_EQ(refusal(), "");
}

TEST_F(Steered, AnImagesPathLeadsNowhereUp) {
  options_ = {};
  for (const char* image : {"/srv/../x", "/srv/..", "..", "oci:/srv/..:tag", "docker-archive:/a/../b"}) {
    sign_.image = Template::of(image);
    EXPECT_NE(refusal().find("no `..`"), std::string::npos) << image;
    sign_.image.reset();
    sign_.services = {{.name = "db", .image = Template::of(image)}};
    EXPECT_NE(refusal().find("no `..`"), std::string::npos) << image;
    sign_.services.clear();
  }
  sign_.image = Template::of("/srv/a..b/...");
  EXPECT_EQ(refusal(), "");
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
