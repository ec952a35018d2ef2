#include "cli/entry_state.h"

namespace slipway::cli {

Mark mark_of(const RunEntry& run) {
  if (run.outcome) return mark_of(*run.outcome);
  return run.is_alive ? Mark::running : Mark::cancelled;
}

Mark mark_of(const JobEntry& job) {
  if (!job.outcome) return Mark::running;
  return job.failure_allowed ? Mark::allowed_failure : mark_of(*job.outcome);
}

std::string state_text(const RunEntry& run) {
  if (run.outcome) return outcome_text(*run.outcome);
  return run.is_alive ? "running" : "did not end";
}

}  // namespace slipway::cli
