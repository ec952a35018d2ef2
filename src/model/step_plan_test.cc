#include "model/step_plan.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace slipway::model {
namespace {

using namespace std::chrono_literals;
using Indexes = std::vector<std::size_t>;

constexpr Time kStart{};

ExpressionPtr status(std::string function, std::vector<std::string> names = {}) {
  Call call{function, {}};
  for (std::string& name : names) {
    call.arguments.push_back(std::make_shared<const Expression>(Expression{Name{{name}}, {}, name}));
  }
  return std::make_shared<const Expression>(Expression{std::move(call), {}, function});
}

StepSpec step(std::string name) {
  StepSpec spec;
  spec.name = std::move(name);
  return spec;
}

StepSpec parallel(std::string name) {
  StepSpec spec = step(std::move(name));
  spec.parallel = true;
  return spec;
}

StepSpec after(std::string name, Indexes indexes) {
  StepSpec spec = step(std::move(name));
  spec.depends_on = std::move(indexes);
  return spec;
}

StepSpec when(StepSpec spec, ExpressionPtr condition) {
  spec.condition = std::move(condition);
  return spec;
}

Indexes skipped_of(const StepPlan::Decisions& decisions) {
  Indexes indexes;
  for (const auto& skipped : decisions.skipped) indexes.push_back(skipped.step);
  return indexes;
}

TEST(StepPlan, StepsRunInOrderOneByOne) {
  StepPlan plan({step("a"), step("b")});
  EXPECT_EQ(plan.next(kStart).start, Indexes{0});
  EXPECT_EQ(plan.next(kStart).start, Indexes{});
  plan.finished(0, Outcome::succeeded, kStart);
  EXPECT_EQ(plan.next(kStart).start, Indexes{1});
  plan.finished(1, Outcome::succeeded, kStart);
  EXPECT_TRUE(plan.next(kStart).start.empty());
  EXPECT_TRUE(plan.is_done());
  EXPECT_EQ(plan.verdict().outcome, Outcome::succeeded);
}

TEST(StepPlan, ConsecutiveParallelStepsRunTogetherAndTheNextWaitsForAll) {
  StepPlan plan({step("a"), parallel("b"), parallel("c"), step("d")});
  plan.next(kStart);
  plan.finished(0, Outcome::succeeded, kStart);
  EXPECT_EQ(plan.next(kStart).start, (Indexes{1, 2}));
  plan.finished(2, Outcome::succeeded, kStart);
  EXPECT_TRUE(plan.next(kStart).start.empty());
  plan.finished(1, Outcome::succeeded, kStart);
  EXPECT_EQ(plan.next(kStart).start, Indexes{3});
}

TEST(StepPlan, DependsOnReplacesTheOrderForThatStepAlone) {
  StepPlan plan({step("a"), step("b"), after("c", {}), step("d")});
  EXPECT_EQ(plan.next(kStart).start, (Indexes{0, 2}));
  plan.finished(0, Outcome::succeeded, kStart);
  EXPECT_EQ(plan.next(kStart).start, Indexes{1});
  plan.finished(1, Outcome::succeeded, kStart);
  EXPECT_TRUE(plan.next(kStart).start.empty()) << "d comes after c too";
  plan.finished(2, Outcome::succeeded, kStart);
  EXPECT_EQ(plan.next(kStart).start, Indexes{3});
}

TEST(StepPlan, AfterAFailureTheRestIsSkippedUnlessItsConditionAllowsIt) {
  StepPlan plan({step("a"), step("b"), when(step("report"), status("always")), when(step("fix"), status("any_failed")),
                 when(step("ship"), status("all_success")), step("last")});
  plan.next(kStart);
  plan.finished(0, Outcome::failed, kStart);
  StepPlan::Decisions decisions = plan.next(kStart);
  EXPECT_EQ(decisions.start, Indexes{2});
  EXPECT_EQ(skipped_of(decisions), Indexes{1});
  EXPECT_EQ(decisions.skipped[0].reason, "step `a` failed");
  plan.finished(2, Outcome::succeeded, kStart);
  EXPECT_EQ(plan.next(kStart).start, Indexes{3});
  plan.finished(3, Outcome::succeeded, kStart);
  EXPECT_EQ(skipped_of(plan.next(kStart)), (Indexes{4, 5}));
  EXPECT_TRUE(plan.is_done());
  EXPECT_EQ(plan.verdict().outcome, Outcome::failed);
  EXPECT_EQ(plan.verdict().step, 0U);
}

TEST(StepPlan, AnAllowedFailureDoesNotSpread) {
  StepSpec lint = step("lint");
  lint.continue_on_error = true;
  StepPlan plan({lint, step("b")});
  plan.next(kStart);
  plan.finished(0, Outcome::failed, kStart);
  EXPECT_EQ(plan.next(kStart).start, Indexes{1});
  plan.finished(1, Outcome::succeeded, kStart);
  EXPECT_EQ(plan.verdict().outcome, Outcome::succeeded);
}

TEST(StepPlan, AStepSkippedByItsOwnConditionHoldsUpOnlyThoseThatNameIt) {
  StepPlan plan({step("a"), when(step("only_on_failure"), status("any_failed")), step("c"), after("d", {1})});
  plan.next(kStart);
  plan.finished(0, Outcome::succeeded, kStart);
  const StepPlan::Decisions decisions = plan.next(kStart);
  EXPECT_EQ(decisions.start, Indexes{2});
  EXPECT_EQ(skipped_of(decisions), (Indexes{1, 3}));
}

TEST(StepPlan, ASkippedStepMayBeAskedForByName) {
  StepPlan plan({step("a"), when(step("b"), status("any_failed")), when(step("c"), status("success", {"b"}))});
  plan.next(kStart);
  plan.finished(0, Outcome::succeeded, kStart);
  const StepPlan::Decisions decisions = plan.next(kStart);
  ASSERT_EQ(skipped_of(decisions), (Indexes{1, 2}));
  EXPECT_EQ(decisions.skipped[1].reason, "its condition `success` does not hold");
}

TEST(StepPlan, RetriesByOutcomeWithABackoffThatDoubles) {
  StepSpec flaky = step("flaky");
  flaky.retry = {2, {Outcome::timed_out}, 10s};
  StepPlan plan({flaky});
  plan.next(kStart);
  EXPECT_EQ(plan.finished(0, Outcome::timed_out, kStart), StepPlan::After::will_retry);
  StepPlan::Decisions decisions = plan.next(kStart);
  EXPECT_TRUE(decisions.start.empty());
  EXPECT_EQ(decisions.wake_at, kStart + 10s);
  EXPECT_EQ(plan.next(kStart + 10s).start, Indexes{0});
  EXPECT_EQ(plan.tries(0), 2);
  EXPECT_EQ(plan.finished(0, Outcome::timed_out, kStart + 11s), StepPlan::After::will_retry);
  EXPECT_EQ(plan.next(kStart + 11s).wake_at, kStart + 31s);
  EXPECT_EQ(plan.next(kStart + 31s).start, Indexes{0});
  EXPECT_EQ(plan.finished(0, Outcome::timed_out, kStart + 32s), StepPlan::After::ended);
  EXPECT_EQ(plan.verdict().outcome, Outcome::timed_out);
}

TEST(StepPlan, AnOutcomeThatIsNotListedIsNotRetried) {
  StepSpec flaky = step("flaky");
  flaky.retry = {2, {Outcome::timed_out}, 10s};
  StepPlan plan({flaky});
  plan.next(kStart);
  EXPECT_EQ(plan.finished(0, Outcome::failed, kStart), StepPlan::After::ended);
}

TEST(StepPlan, CancellationStopsRetriesAndStartsOnlyWhatAsksForIt) {
  StepSpec flaky = parallel("flaky");
  flaky.retry = {5, {Outcome::failed}, 10s};
  StepPlan plan({flaky, parallel("b"), step("c"), when(step("clean"), status("always")),
                 when(step("fix"), status("any_failed"))});
  plan.next(kStart);
  plan.finished(0, Outcome::failed, kStart);
  plan.cancel();
  EXPECT_TRUE(plan.next(kStart).start.empty());
  plan.finished(1, Outcome::cancelled, kStart);
  const StepPlan::Decisions decisions = plan.next(kStart + 1h);
  EXPECT_EQ(decisions.start, Indexes{3});
  plan.finished(3, Outcome::succeeded, kStart);
  plan.next(kStart);
  EXPECT_TRUE(plan.is_done());
}

TEST(StepPlan, ACancelledStepMakesTheJobCancelled) {
  StepPlan plan({step("a"), step("b")});
  plan.next(kStart);
  plan.cancel();
  plan.finished(0, Outcome::cancelled, kStart);
  plan.next(kStart);
  EXPECT_TRUE(plan.is_done());
  EXPECT_EQ(plan.verdict().outcome, Outcome::cancelled);
}

TEST(StepPlan, StepsThatWaitForEachOtherAreSkippedInsteadOfHangingTheJob) {
  StepPlan plan({after("a", {1}), after("b", {0}), step("c")});
  const StepPlan::Decisions decisions = plan.next(kStart);
  EXPECT_TRUE(decisions.start.empty());
  EXPECT_EQ(skipped_of(decisions), (Indexes{0, 1, 2}));
  EXPECT_TRUE(plan.is_done());
}

StepSpec done_before(StepSpec spec) {
  spec.done_before = true;
  return spec;
}

TEST(StepPlan, WhatWasDoneInTheRunBeforeIsSkippedAndHoldsNobodyUp) {
  StepPlan plan({done_before(step("a")), done_before(step("b")), after("c", {1}), step("d")});
  const StepPlan::Decisions first = plan.next(kStart);
  EXPECT_EQ(skipped_of(first), (Indexes{0, 1}));
  EXPECT_EQ(first.start, Indexes{2});
}

TEST(StepPlan, AStepThatRunsOnceMoreCountsItsTryAndHoldsUpTheNext) {
  StepPlan plan({step("a"), step("b")});
  plan.next(kStart);
  EXPECT_EQ(plan.would_end(0, Outcome::failed), StepPlan::After::ended);
  plan.run_again(0);
  EXPECT_TRUE(plan.next(kStart).start.empty());
  EXPECT_EQ(plan.tries(0), 2);
  plan.finished(0, Outcome::succeeded, kStart);
  EXPECT_EQ(plan.next(kStart).start, Indexes{1});
}

TEST(StepPlan, AJobWithoutStepsIsDone) {
  StepPlan plan({});
  plan.next(kStart);
  EXPECT_TRUE(plan.is_done());
  EXPECT_EQ(plan.verdict().outcome, Outcome::succeeded);
}

StepSpec hook(Phase phase) {
  StepSpec spec = step("hook " + std::string(to_string(phase)));
  spec.phase = phase;
  return spec;
}

/// Runs all steps, those of `bad` to a failure; the names in the order of their starts.
std::vector<std::string> played(const std::vector<StepSpec>& steps, const std::vector<std::string>& bad,
                                const std::string& cancel_in = {}) {
  StepPlan plan(steps);
  std::vector<std::string> started;
  for (int round = 0; round < 20 && !plan.is_done(); ++round) {
    for (const std::size_t index : plan.next(kStart).start) {
      const std::string& name = steps[index].name;
      started.push_back(name);
      if (name == cancel_in) plan.cancel();
      const bool fails = std::ranges::find(bad, name) != bad.end();
      plan.finished(index,
                    fails               ? Outcome::failed
                    : name == cancel_in ? Outcome::cancelled
                                        : Outcome::succeeded,
                    kStart);
    }
  }
  EXPECT_TRUE(plan.is_done());
  return started;
}

std::vector<StepSpec> with_all_hooks() {
  return {after("a", {}),
          when(step("b"), status("always")),
          hook(Phase::cleanup),
          hook(Phase::on_error),
          hook(Phase::post_container),
          hook(Phase::pre_container),
          hook(Phase::pre_validation)};
}

using Names = std::vector<std::string>;

TEST(Hooks, SurroundTheStepsWhereverTheyStandInTheList) {
  EXPECT_EQ(played(with_all_hooks(), {}),
            (Names{"hook pre_validation", "hook pre_container", "a", "b", "hook post_container", "hook cleanup"}));
}

TEST(Hooks, AFailureBringsOnErrorAndOneBeforeTheStepsNothingBehindThem) {
  EXPECT_EQ(played(with_all_hooks(), {"a"}), (Names{"hook pre_validation", "hook pre_container", "a", "b",
                                                    "hook post_container", "hook on_error", "hook cleanup"}));
  EXPECT_EQ(played(with_all_hooks(), {"hook pre_validation"}),
            (Names{"hook pre_validation", "b", "hook on_error", "hook cleanup"}));
  EXPECT_EQ(played(with_all_hooks(), {"hook post_container"}).back(), "hook cleanup");
}

TEST(Hooks, ACancellationBringsOnErrorAndCleanup) {
  EXPECT_EQ(played(with_all_hooks(), {}, "a"),
            (Names{"hook pre_validation", "hook pre_container", "a", "b", "hook on_error", "hook cleanup"}));
  EXPECT_EQ(played(with_all_hooks(), {}, "hook pre_validation"),
            (Names{"hook pre_validation", "b", "hook on_error", "hook cleanup"}));
}

}  // namespace
}  // namespace slipway::model
