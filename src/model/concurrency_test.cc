#include "model/concurrency.h"

#include <gtest/gtest.h>

namespace slipway::model {
namespace {

using Policy = Concurrency::Policy;
using Verdict = ConcurrencyGroups::Answer::Verdict;

Holder run(int number) { return {RunId(std::to_string(number)), std::nullopt}; }

TEST(ConcurrencyGroups, QueueLetsEachInTurn) {
  ConcurrencyGroups groups;
  EXPECT_EQ(groups.enter("g", Policy::queue, run(1)).verdict, Verdict::entered);
  EXPECT_EQ(groups.enter("g", Policy::queue, run(2)).verdict, Verdict::waits);
  EXPECT_EQ(groups.enter("g", Policy::queue, run(3)).verdict, Verdict::waits);
  EXPECT_EQ(groups.enter("other", Policy::queue, run(4)).verdict, Verdict::entered);
  EXPECT_EQ(groups.leave("g", run(1)), run(2));
  EXPECT_EQ(groups.leave("g", run(2)), run(3));
  EXPECT_EQ(groups.leave("g", run(3)), std::nullopt);
  EXPECT_EQ(groups.enter("g", Policy::queue, run(5)).verdict, Verdict::entered);
}

TEST(ConcurrencyGroups, LatestNamesWhomItDisplaced) {
  ConcurrencyGroups groups;
  groups.enter("g", Policy::latest, run(1));
  groups.enter("g", Policy::latest, run(2));
  const auto answer = groups.enter("g", Policy::latest, run(3));
  EXPECT_EQ(answer.displaced, std::vector<Holder>{run(2)});
  EXPECT_FALSE(answer.to_cancel);
  EXPECT_EQ(groups.leave("g", run(1)), run(3));
}

TEST(ConcurrencyGroups, CancelRunningNamesWhoHasToGo) {
  ConcurrencyGroups groups;
  groups.enter("g", Policy::cancel_running, run(1));
  const auto answer = groups.enter("g", Policy::cancel_running, run(2));
  EXPECT_EQ(answer.verdict, Verdict::waits);
  EXPECT_EQ(answer.to_cancel, run(1));
  EXPECT_EQ(groups.leave("g", run(1)), run(2));
}

TEST(ConcurrencyGroups, RefuseBeyondTheirLimitAndForgetWhoGivesUp) {
  ConcurrencyGroups groups;
  groups.enter("g", Policy::queue, run(0));
  for (int i = 1; i <= static_cast<int>(ConcurrencyGroups::kMaxWaiting); ++i) {
    EXPECT_EQ(groups.enter("g", Policy::queue, run(i)).verdict, Verdict::waits);
  }
  EXPECT_EQ(groups.enter("g", Policy::queue, run(1000)).verdict, Verdict::refused);
  EXPECT_EQ(groups.leave("g", run(1)), std::nullopt);
  EXPECT_EQ(groups.waiting("g"), ConcurrencyGroups::kMaxWaiting - 1);
  EXPECT_EQ(groups.leave("g", run(0)), run(2));
}

TEST(ConcurrencyGroups, AskingTwiceChangesNothing) {
  ConcurrencyGroups groups;
  EXPECT_EQ(groups.enter("g", Policy::queue, run(1)).verdict, Verdict::entered);
  EXPECT_EQ(groups.enter("g", Policy::cancel_running, run(1)).verdict, Verdict::entered);
  groups.enter("g", Policy::queue, run(2));
  groups.enter("g", Policy::queue, run(2));
  EXPECT_EQ(groups.waiting("g"), 1U);
  EXPECT_EQ(groups.leave("nothing", run(1)), std::nullopt);
}

}  // namespace
}  // namespace slipway::model
