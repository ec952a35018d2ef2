#include "model/test_results.h"

#include <gtest/gtest.h>

namespace slipway::model {
namespace {

constexpr TestOutcome kPass = TestOutcome::passed, kFail = TestOutcome::failed;

TestOccurrence at(std::int64_t run, TestOutcome outcome, std::string branch = "main", std::string commit = {}) {
  return {run, 1, outcome, std::move(branch), std::move(commit)};
}

TEST(TestVerdict, FailureIsNewWhenTheBranchLastPassedIt) {
  EXPECT_TRUE(judge({at(3, kFail), at(2, kPass), at(1, kFail)}).is_new_failure);
  EXPECT_FALSE(judge({at(3, kFail), at(2, kFail), at(1, kPass)}).is_new_failure);
}

TEST(TestVerdict, AnotherBranchCountsOnlyWhereThisOneHasNoResult) {
  EXPECT_FALSE(judge({at(3, kFail, "topic"), at(2, kPass, "main"), at(1, kFail, "topic")}).is_new_failure);
  EXPECT_FALSE(judge({at(3, kFail, "topic"), at(2, kFail, "main")}).is_new_failure);
  EXPECT_TRUE(judge({at(3, kFail, "topic"), at(2, kPass, "main")}).is_new_failure);
}

TEST(TestVerdict, FirstResultEverIsANewFailure) { EXPECT_TRUE(judge({at(1, kFail)}).is_new_failure); }

TEST(TestVerdict, SkippedRunsSayNothing) {
  EXPECT_FALSE(judge({at(3, kFail), at(2, TestOutcome::skipped), at(1, kFail)}).is_new_failure);
}

TEST(TestVerdict, SameCommitWithBothResultsIsFlaky) {
  EXPECT_EQ(judge({at(2, kPass, "main", "c1"), at(1, kFail, "main", "c1")}).flaky,
            "passed and failed on the same commit");
  EXPECT_EQ(judge({at(2, kPass, "main", "c2"), at(1, kFail, "main", "c1")}).flaky, "");
}

TEST(TestVerdict, RetryThatPassesIsFlaky) {
  EXPECT_EQ(judge({{7, 2, kPass, "main", ""}, {7, 1, kFail, "main", ""}}).flaky, "passed and failed in the same run");
}

TEST(TestVerdict, ABugThatIsMendedIsNotFlakyButOneThatComesAndGoesIs) {
  EXPECT_EQ(judge({at(3, kPass), at(2, kFail), at(1, kPass)}).flaky, "");
  EXPECT_NE(judge({at(4, kFail), at(3, kPass), at(2, kFail), at(1, kPass)}).flaky, "");
}

TEST(TestCounts, ReadAsOneLine) {
  TestCounts counts{.passed = 812, .failed = 3, .skipped = 0, .new_failures = 1, .flaky = 2};
  EXPECT_EQ(counts_text(counts), "812 passed, 3 failed (1 new), 2 flaky");
}

}  // namespace
}  // namespace slipway::model
