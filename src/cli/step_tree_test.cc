#include "cli/step_tree.h"

#include <gtest/gtest.h>

namespace slipway::cli {
namespace {

model::StepResult step(std::string name, int began, std::optional<std::size_t> parent = {}) {
  model::StepResult made;
  made.name = std::move(name);
  if (began > 0) made.started = Time{} + std::chrono::seconds(began);
  made.parent = parent;
  return made;
}

std::string drawn(const std::vector<ShownStep>& steps) {
  std::string text;
  for (const ShownStep& one : steps) {
    EXPECT_EQ(one.parent.has_value(), one.depth > 0);
    text += std::string(one.depth, '-') + std::string(one.name) + (one.result == nullptr ? "(runs) " : " ");
  }
  return text;
}

TEST(StepTree, PutsStepsBelowTheStepThatAskedForThem) {
  const std::vector steps = {step("a", 1),     step("b", 2),     step("a1", 3, 0),
                             step("b1", 4, 1), step("a2", 5, 0), step("a11", 6, 2)};
  const auto shown = steps_in_order(steps);
  EXPECT_EQ(drawn(shown), "a -a1 --a11 -a2 b -b1 ");
  EXPECT_EQ(shown[2].parent, 1U) << "the place in the list that is shown";
  EXPECT_EQ(shown[2].number, 5U) << "the number in the journal";
}

TEST(StepTree, HooksStandWhereTheyRan) {
  const std::vector steps = {step("build", 3), step("never", 0), step("hook before", 2), step("hook behind", 4)};
  EXPECT_EQ(drawn(steps_in_order(steps)), "hook before build hook behind never ");
}

TEST(StepTree, AStepThatNamesNoneBeforeItStandsByItself) {
  EXPECT_EQ(drawn(steps_in_order({step("a", 1, 7), step("b", 2, 1)})), "a b ");
}

TEST(StepTree, OfAnAttemptThatRunsOnStepsAreKnownByTheirNumbers) {
  AttemptNotes notes;
  const auto ended = step("child", 2, 4);
  notes.steps = {{4, {"parent", Time{} + std::chrono::seconds(1), {}, {}}}, {6, {"child", ended.started, 4, ended}}};
  EXPECT_EQ(drawn(steps_in_order(notes)), "parent(runs) -child ");
}

}  // namespace
}  // namespace slipway::cli
