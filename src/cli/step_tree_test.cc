#include "cli/step_tree.h"

#include <gtest/gtest.h>

namespace slipway::cli {
namespace {

model::StepResult step(std::string name, std::optional<std::size_t> parent = {}) {
  model::StepResult made;
  made.name = std::move(name);
  made.parent = parent;
  return made;
}

std::string drawn(const std::vector<NestedStep>& steps) {
  std::string text;
  for (const NestedStep& one : steps) text += std::string(one.depth, '-') + one.step->name + " ";
  return text;
}

TEST(StepTree, PutsStepsBelowTheStepThatAskedForThem) {
  const std::vector steps = {step("a"), step("b"), step("a1", 0), step("b1", 1), step("a2", 0), step("a11", 2)};
  EXPECT_EQ(drawn(nested(steps, StepOrder::by_index)), "a -a1 --a11 -a2 b -b1 ");
}

TEST(StepTree, AStepThatNamesNoneBeforeItStandsByItself) {
  EXPECT_EQ(drawn(nested({step("a", 7), step("b", 1)}, StepOrder::by_index)), "a b ");
}

TEST(StepTree, OfAnAttemptThatRunsOnTheOrderStays) {
  EXPECT_EQ(drawn(nested({step("b1", 1), step("a")}, StepOrder::as_they_ended)), "-b1 a ");
}

}  // namespace
}  // namespace slipway::cli
