#include "cli/step_tree.h"

namespace slipway::cli {

namespace {

/// Below step `index`; those of a step come behind it in the list, so this ends.
void append_below(const std::vector<model::StepResult>& steps, std::size_t index, std::size_t depth,
                  std::vector<NestedStep>& to) {
  to.push_back({&steps[index], depth});
  for (std::size_t below = index + 1; below < steps.size(); ++below) {
    if (steps[below].parent == index) append_below(steps, below, depth + 1, to);
  }
}

}  // namespace

std::vector<NestedStep> nested(const std::vector<model::StepResult>& steps, StepOrder order) {
  std::vector<NestedStep> made;
  made.reserve(steps.size());
  for (std::size_t index = 0; index < steps.size(); ++index) {
    if (order == StepOrder::as_they_ended) {
      made.push_back({&steps[index], steps[index].parent ? 1U : 0U});
    } else if (!steps[index].parent || *steps[index].parent >= index) {
      append_below(steps, index, 0, made);
    }
  }
  return made;
}

}  // namespace slipway::cli
