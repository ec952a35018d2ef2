#include "model/run.h"

#include <algorithm>
#include <array>

namespace slipway::model {

namespace {

constexpr std::array<std::pair<JobState, std::string_view>, 7> kJobStates = {{
    {JobState::waiting, "waiting"},
    {JobState::held, "held"},
    {JobState::ready, "ready"},
    {JobState::starting, "starting"},
    {JobState::running, "running"},
    {JobState::backing_off, "backing_off"},
    {JobState::finished, "finished"},
}};

/// The more it counts, the higher.
int weight(Outcome outcome) {
  switch (outcome) {
    case Outcome::skipped: return 0;
    case Outcome::succeeded: return 1;
    case Outcome::cancelled: return 2;
    case Outcome::timed_out: return 3;
    case Outcome::out_of_memory: return 4;
    case Outcome::failed: return 5;
    case Outcome::infra_failed: return 6;
    case Outcome::rejected: return 7;
  }
  return 0;
}

}  // namespace

std::string_view to_string(JobState state) {
  for (const auto& [known, text] : kJobStates) {
    if (known == state) return text;
  }
  return "unknown";
}

std::optional<JobState> job_state_of(std::string_view text) {
  for (const auto& [state, known] : kJobStates) {
    if (known == text) return state;
  }
  return std::nullopt;
}

std::string_view to_string(RunState state) {
  switch (state) {
    case RunState::planned: return "planned";
    case RunState::running: return "running";
    case RunState::finished: return "finished";
  }
  return "unknown";
}

std::optional<RunState> run_state_of(std::string_view text) {
  for (const RunState state : {RunState::planned, RunState::running, RunState::finished}) {
    if (to_string(state) == text) return state;
  }
  return std::nullopt;
}

std::string_view to_string(StopWhy why) {
  switch (why) {
    case StopWhy::by_user: return "by_user";
    case StopWhy::timeout: return "timeout";
    case StopWhy::fail_fast: return "fail_fast";
    case StopWhy::superseded: return "superseded";
  }
  return "unknown";
}

Ending ending_of_group(const Group& group) {
  if (group.failed > 0) return Ending::failed;
  if (group.cancelled > 0) return Ending::cancelled;
  return group.succeeded > 0 ? Ending::succeeded : Ending::skipped;
}

int exit_code_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::succeeded:
    case Outcome::skipped: return 0;
    case Outcome::failed:
    case Outcome::out_of_memory: return 1;
    case Outcome::rejected: return 2;
    case Outcome::cancelled: return 3;
    case Outcome::infra_failed: return 5;
    case Outcome::timed_out: return 124;
  }
  return 1;
}

Outcome worse(Outcome a, Outcome b) { return weight(a) >= weight(b) ? a : b; }

bool is_kept(const Run& run, const Group& group) {
  if (!run.options.kept || group.expands_later) return false;
  return std::ranges::all_of(group.jobs,
                             [&](JobIndex job) { return run.options.kept->jobs.contains(run.jobs[job].name); });
}

}  // namespace slipway::model
