#include <algorithm>

#include <gtest/gtest.h>

#include "model/builders_for_test.h"

namespace slipway::model {
namespace {

/// What a run takes over from run #1, where all of these jobs had ended.
RunOptions keeping(std::map<std::string, Kept::JobEnd> jobs) {
  RunOptions options;
  options.kept = Kept{.from = "run #1", .jobs = std::move(jobs), .begin_at = {}};
  return options;
}

TEST(Kept, AJobEndsAsItDidWithItsOutputsAndIsNotRun) {
  JobDefinition after = job("after", {"made"});
  after.env = {{"V", hole({"outputs", "made", "v"})}};
  Player player({job("made"), after}, keeping({{"made", {.outputs = {{"v", "7"}}, .vars = {}}}}));
  player.start_all();
  EXPECT_EQ(player.started, std::vector<std::string>{"after"});
  EXPECT_EQ(player.job_of("made").reason, "kept from run #1");
  EXPECT_EQ(player.job_of("made").attempts, 0);
  ASSERT_EQ(player.specs.size(), 1U);
  const Variables& env = player.specs[0].env;
  EXPECT_NE(std::ranges::find(env, Variables::value_type("V", "7")), env.end());
}

TEST(Kept, AFailureIsOneOfThisRunToo) {
  Player player({job("made"), job("after", {"made"})},
                keeping({{"made", {.outcome = Outcome::failed, .exit_code = 3}}}));
  player.play();
  EXPECT_EQ(player.outcome("after"), Outcome::skipped);
  EXPECT_EQ(player.run.outcome, Outcome::failed);
}

TEST(Kept, WhatFailedInAnotherRunStopsNoInstanceOfThisOne) {
  Player player({matrix_job("test", {text("gcc"), text("clang")})},
                keeping({{"test (gcc)", {.outcome = Outcome::failed, .exit_code = 1}}}));
  player.play();
  EXPECT_EQ(player.outcome("test (gcc)"), Outcome::failed);
  EXPECT_EQ(player.outcome("test (clang)"), Outcome::succeeded);
}

TEST(Kept, VariablesOfTheWorkflowThatItSetAreSet) {
  Workflow definition = workflow({job("made"), job("after", {"made"})});
  definition.vars = {{"declared", text("a")}};
  Player player(planned(std::move(definition), keeping({{"made", {.outputs = {}, .vars = {{"found", "b"}}}}})).value());
  EXPECT_EQ(player.run.vars, (std::map<std::string, std::string>{{"found", "b"}}));
}

TEST(Kept, ARunThatIsCancelledKeepsNothing) {
  Player player({job("made"), job("next", {"made"})}, keeping({{"next", {}}}));
  player.start_all();
  player.feed(CancelRequested{});
  player.end("made", Outcome::cancelled);
  EXPECT_EQ(player.outcome("next"), Outcome::cancelled);
}

}  // namespace
}  // namespace slipway::model
