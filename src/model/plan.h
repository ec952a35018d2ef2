#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/run.h"

/// From a definition and an event to a run, and from a job instance to what an attempt is to do. Pure but for Facts.
namespace slipway::model {

inline constexpr std::size_t kMaxJobs = 20'000;                    ///< of one run, all instances
inline constexpr std::size_t kMaxTriggeredJobs = 256;              ///< that join one run
inline constexpr Duration kHookTimeout = std::chrono::minutes(5);  ///< of a hook that says none, and of plugins
inline constexpr int kMaxTriggerDepth = 16;  ///< a job that was asked for by one that was asked for by ...

struct PlanRequest {
  RunId id;
  std::shared_ptr<const Workflow> workflow;
  Event event;
  RunOptions options;
  std::shared_ptr<const Facts> facts;
  Time now{};
};

/// All instances that can be known before anything ran; a `for_each` over outputs gets its instances when what it
/// depends on has ended. Errors: `invalid` (inputs, an unknown --job, an empty or too large matrix, a cycle, an
/// unknown dependency), with the place in front where it has one. `on` is not asked: see `decide`.
Result<Run> plan(PlanRequest request);

/// One combination of a matrix, in the order of its axes.
using Combination = Named<Value>;
/// Product of the axes, minus `exclude`, then each `include` extends every combination whose axes it does not
/// contradict, or else is one of its own. Errors: `exhausted` over kMaxCombinations.
Result<std::vector<Combination>> combinations(const Matrix& matrix);

enum class Purpose {
  execute,  ///< for an attempt: what cannot be known is an error
  preview,  ///< for `plan --resolved`: outputs of jobs that have not run read as `<outputs.JOB.NAME>`
};

/// Expands every template of the job and fills in every default. `attempt` may be empty for a preview.
/// Errors: as of `expand`; `invalid` for a step that depends on an unknown one or a preset that is not there.
Result<JobSpec> resolve(const Run& run, JobIndex job, const AttemptId& attempt, int number, Purpose purpose);

/// What expressions of the run may use that no job decides: branch, event, run.*, vars.*, inputs.*, workflow env.
Result<Scope> scope_of(const Run& run);
/// As above, with matrix.*, item, params.*, outputs.* and endings of what the job depends on, and its own env.
Result<Scope> scope_of(const Run& run, JobIndex job, Purpose purpose);

/// `denied`: `asked`, for which a job of `asker` asks, holds secrets and would inherit values that a stranger may have
/// chosen: an image, or variables, of which nothing would tell any more where they come from.
Result<void> check_inherited(const Run& run, const Group& asker, const JobDefinition& asked);

/// The run's own concurrency group, expanded; no value: none.
struct RunConcurrency {
  std::string group;
  Concurrency::Policy policy = Concurrency::Policy::queue;
};
Result<std::optional<RunConcurrency>> concurrency_of(const Run& run);
/// Who shares the run's groups besides its project: empty, all trusted runs. A stranger chooses the names of groups, by
/// text or by a branch called `main`: those are of that pull request alone, and hold back or cancel nobody else's run.
std::string group_owner(const Run& run);

/// What the condition says as far as it can be known before anything ran: false: will be skipped in any case.
std::optional<bool> foreseen(const Run& run, JobIndex job, Trace& trace);

}  // namespace slipway::model
