#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/job_spec.h"

/// What a hook is told, on its standard input and in the file $SLIPWAY_HOOK_CONTEXT, and what it may answer, written to
/// $SLIPWAY_HOOK_CHANGES: one JSON object each. docs/hooks.md is for who writes one.
namespace slipway::wire {

inline constexpr std::size_t kMaxHookChanges = 1U << 20U;

struct HookContext {
  model::Phase phase = model::Phase::steps;
  std::string workspace;   ///< /job
  std::string job_code;    ///< the directory; empty: none is there
  std::string event_file;  ///< empty: none
  bool cancelled = false;
  std::string error{};  ///< of what failed first, or was cancelled; empty: nothing did
  struct Step {
    model::Phase phase = model::Phase::steps;
    const model::StepResult* result = nullptr;
    std::string reason;
  };
  std::vector<Step> steps{};  ///< that have ended, in the order of the job
};
/// No secret is in it: names and reasons come masked.
std::string encode(const HookContext& context, const model::JobSpec& job);

struct HookChanges {
  model::Variables env, outputs, vars;
};
/// Empty text changes nothing. `invalid`: it is no JSON object, or holds what no hook may change.
Result<HookChanges> decode_hook_changes(std::string_view text);

}  // namespace slipway::wire
