#include "cli/entry_state.h"

namespace slipway::cli {

Mark mark_of(const RunEntry& run) {
  if (run.outcome) return mark_of(*run.outcome);
  return run.is_alive ? Mark::running : Mark::cancelled;
}

Mark mark_of(const JobEntry& job) {
  if (!job.outcome) return job.abandoned ? Mark::cancelled : job.attempts.empty() ? Mark::pending : Mark::running;
  return job.failure_allowed ? Mark::allowed_failure : mark_of(*job.outcome);
}

Mark mark_of(const AttemptEntry& attempt) {
  if (attempt.outcome) return mark_of(*attempt.outcome);
  return attempt.abandoned ? Mark::cancelled : Mark::running;
}

std::string state_text(const RunEntry& run) {
  if (run.outcome) return outcome_text(*run.outcome);
  return run.is_alive ? "running" : "did not end";
}

std::string state_text(const JobEntry& job) {
  if (job.outcome) return outcome_text(*job.outcome);
  if (job.attempts.empty()) return job.abandoned ? "never began" : "waiting";
  return job.abandoned ? "did not end" : "running";
}

std::string state_text(const AttemptEntry& attempt) {
  if (attempt.outcome) return outcome_text(*attempt.outcome);
  return attempt.abandoned ? "did not end" : "running";
}

}  // namespace slipway::cli
