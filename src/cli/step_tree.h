#pragma once

#include <vector>

#include "model/job_spec.h"

namespace slipway::cli {

struct NestedStep {
  const model::StepResult* step = nullptr;
  std::size_t depth = 0;  ///< 0: a step of the job; 1: below one of those, ...
};

/// Each step with those below it right behind it. `steps`: of an attempt that has ended, by index, or of one that runs
/// on, as they ended: those stay in that order.
enum class StepOrder { by_index, as_they_ended };
std::vector<NestedStep> nested(const std::vector<model::StepResult>& steps, StepOrder order);

}  // namespace slipway::cli
