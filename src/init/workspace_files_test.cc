#include "init/workspace_files.h"

#include <gtest/gtest.h>

#include "init/bundles.h"
#include "init/environment.h"

namespace slipway::init {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(OutputsFile, HoldsLinesAndHeredocs) {
  const auto outputs = parse_outputs("# comment\n\nA=1\r\nB=x=y\nC<<END\nline 1\n\nEND=no\nEND\nD=\n");
  ASSERT_TRUE(outputs) << outputs.error().what;
  EXPECT_EQ(*outputs, (Pairs{{"A", "1"}, {"B", "x=y"}, {"C", "line 1\n\nEND=no"}, {"D", ""}}));
}

TEST(OutputsFile, AnEmptyHeredocIsAnEmptyValue) { EXPECT_EQ(parse_outputs("A<<E\nE\n").value(), (Pairs{{"A", ""}})); }

TEST(OutputsFile, RefusesWhatIsNeitherAndNamesTheLine) {
  for (const std::string_view text : {"A=1\nnonsense\n", "A=1\n=x\n", "A=1\nB C=x\n", "A=1\nB<<END\nx\n"}) {
    const auto outputs = parse_outputs(text);
    ASSERT_FALSE(outputs) << text;
    EXPECT_NE(outputs.error().what.find("outputs.env:2:"), std::string::npos) << outputs.error().what;
  }
}

TEST(WorkspaceFiles, SplitRefusesABrokenText) {
  EXPECT_EQ(split_files("3 2\nabcdef").value().outputs, "abc");
  EXPECT_EQ(split_files("3 2\nabcdef").value().triggers, "de");
  EXPECT_EQ(split_files("3 2\nabcdef").value().variables, "f");
  for (const std::string_view text :
       {"", "x", "3", "3 ", "3 1", "3\nabc", "4 0\nabc", "3 1\nabc", "99999999999999999999 0\n"})
    EXPECT_FALSE(split_files(text)) << text;
}

TEST(VariablesFile, HoldsOutputsAndVariables) {
  const auto read = parse_variables(
      R"({"vars": {"a": "1", "n": 2}, "outputs": {"o": {"x": true}, "id": 20301122000000000000042}, "else": 1})");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->vars, (Pairs{{"a", "1"}, {"n", "2"}}));
  EXPECT_EQ(read->outputs, (Pairs{{"o", R"({"x":true})"}, {"id", "20301122000000000000042"}}));
  for (const std::string_view text : {"", "[]", "{\"vars\": 1}", "{\"outputs\": {\"a b\": 1}}", "{"})
    EXPECT_FALSE(parse_variables(text)) << text;
}

TEST(BundleTask, AnArtifactBeginsAtTheCheckoutOrTheWorkspace) {
  const BundleTask inside = artifact_task("/job", "a", {"out/*", "./b", "/job/src/c"}).value();
  EXPECT_EQ(inside.root, "/job/src");
  EXPECT_EQ(inside.globs, (std::vector<std::string>{"out/*", "b", "c"}));
  const BundleTask beside = artifact_task("/job", "a", {"out/*", "/job/tmp/x"}).value();
  EXPECT_EQ(beside.root, "/job");
  EXPECT_EQ(beside.globs, (std::vector<std::string>{"src/out/*", "tmp/x"}));
  EXPECT_FALSE(artifact_task("/job", "a", {"/etc/passwd"}));
}

TEST(BundleTask, ACacheKeepsAbsolutePaths) {
  const BundleTask cache = cache_task("/job", "/home/runner", "k", {".deps", "~/.cache/x", "/opt/y"});
  EXPECT_EQ(cache.root, "/");
  EXPECT_EQ(cache.globs, (std::vector<std::string>{"job/src/.deps", "home/runner/.cache/x", "opt/y"}));
}

TEST(Environment, WhatTellsAStepWhereItIsCannotBeOverridden) {
  model::JobSpec job;
  job.job = "real";
  job.env = {{"SLIPWAY_JOB", "forged"}, {"SLIPWAY_SOCKET", "/elsewhere"}, {"A", "1"}, {"A", "2"}, {"B=C", "x"}};
  const auto environment =
      step_environment(job, {}, {1001, 1001, "runner", "/home/runner"}, {"/job", "/run/slipway", "/s.sock", ""}, {});
  EXPECT_EQ(value_in(environment, "SLIPWAY_JOB"), "real");
  EXPECT_EQ(value_in(environment, "SLIPWAY_SOCKET"), "/s.sock");
  EXPECT_EQ(value_in(environment, "A"), "2");
  EXPECT_EQ(value_in(environment, "B"), "") << "a name that holds `=` is left out";
}

TEST(Environment, SecretsGoToTheVariableThatWasAskedFor) {
  model::JobSpec job;
  job.secrets = {{"KEY", "", "", {}}, {"TOKEN", "MY_TOKEN", "", {}}, {"FILE", "", "/job/secrets/FILE", {}}};
  const auto environment = step_environment(job, {}, {}, {"/job", "/run/slipway", "", ""},
                                            {{"KEY", "k"}, {"TOKEN", "t"}, {"FILE", "f"}, {"UNUSED", "u"}});
  EXPECT_EQ(value_in(environment, "KEY"), "k");
  EXPECT_EQ(value_in(environment, "MY_TOKEN"), "t");
  EXPECT_EQ(value_in(environment, "FILE"), "");
  EXPECT_EQ(value_in(environment, "UNUSED"), "");
}

TEST(Identity, NoStepMayBeInitOrAnUnmappedId) {
  Entry entry;
  for (const std::uint32_t uid : {65533U, 65535U, 65536U, 4'000'000'000U}) {
    EXPECT_FALSE(identity_of({model::RunAs::Kind::number, uid}, entry)) << uid;
  }
  EXPECT_EQ(identity_of({model::RunAs::Kind::number, 1234}, entry)->uid, 1234U);
  EXPECT_EQ(identity_of({}, entry)->home, "/home/runner");
  EXPECT_FALSE(identity_of({model::RunAs::Kind::root, 0}, entry)) << "without a namespace for it";
  EXPECT_FALSE(identity_of({model::RunAs::Kind::number, 0}, entry)) << "number 0 is root";
  EXPECT_FALSE(identity_of({model::RunAs::Kind::source, 0}, entry));
}

}  // namespace
}  // namespace slipway::init
