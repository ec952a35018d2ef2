#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "model/definition.h"
#include "model/event.h"
#include "model/job_spec.h"
#include "model/states.h"

/// A run and its jobs as values. `plan.h` makes a run, `transitions.h` moves it on; nothing else changes one.
namespace slipway::model {

using JobIndex = std::uint32_t;
using GroupIndex = std::uint32_t;

/// One instance of a job definition.
struct Job {
  std::string name;  ///< `test (gcc, 17)`: unique in the run
  GroupIndex group = 0;
  Named<Value> matrix;
  std::optional<Value> item;

  bool continue_on_error = false;  ///< these two are the definition's, with expressions settled once it starts
  Retry retry;

  JobState state = JobState::waiting;
  Outcome outcome = Outcome::skipped;  ///< only when finished
  int exit_code = 0;
  std::string reason;
  bool failure_allowed = false;     ///< continue_on_error made a failure of it harmless
  int attempts = 0;                 ///< started so far
  AttemptId attempt;                ///< the latest; reports of others are fenced off
  std::string journal_path;         ///< of the latest attempt, once it runs
  std::optional<StopWhy> stopping;  ///< the attempt was told to end
  std::string concurrency_group;    ///< that it waits for or is in; empty: none
  std::string environment;          ///< where it deploys to, known once it starts; empty: nowhere
  Time started{}, finished{}, retry_at{};
  Time attempt_started{};  ///< the latest
  std::map<std::string, std::string> outputs;
  struct Asked {
    int total = 0;        ///< jobs asked for by this text, by any attempt
    int by_attempt = 0;   ///< of these by the present attempt
    std::string as;       ///< the name that it last joined the run by; empty: it did not
    std::string refused;  ///< why, the last time; empty: it was not
  };
  std::map<std::string, Asked> asked;  ///< triggers by their JSON, so that a repeat of the report does nothing
  std::set<std::string> operations;    ///< ids of the triggers that the present attempt sent
};

/// All instances of one definition: what `depends_on` names.
struct Group {
  std::shared_ptr<const JobDefinition> definition;  ///< shares the workflow's life
  std::string name;                                 ///< as `depends_on` names it
  std::vector<GroupIndex> depends_on, dependents;
  std::vector<JobIndex> jobs;
  std::uint32_t dependencies_open = 0;  ///< dependencies that have not ended
  std::uint32_t dependencies_bad = 0;   ///< of those that ended, how many not as succeeded
  std::uint32_t open = 0;               ///< instances that have not finished
  std::uint32_t active = 0;             ///< instances ready, starting or running: matrix.max_parallel counts them
  std::uint32_t failed = 0, cancelled = 0, succeeded = 0;  ///< of the finished
  bool expands_later = false;  ///< for_each over an expression: no instances until its dependencies end
  int depth = 0;               ///< how many triggers lie between it and the plan
  bool ended = false;
  bool fail_fast_fired = false;
  std::deque<JobIndex> held;  ///< waiting for a place in the matrix, in order
};

/// As conditions see a group that has ended: failed if one instance failed, else cancelled if one was, else succeeded
/// if one did, else skipped. Failures that continue_on_error allows count as succeeded.
Ending ending_of_group(const Group& group);

/// What a run takes over from an earlier one of the same workflow.
struct Kept {
  struct JobEnd {
    Outcome outcome = Outcome::succeeded;
    int exit_code = 0;
    std::map<std::string, std::string> outputs;
    std::map<std::string, std::string> vars;  ///< of the workflow, that it set
  };
  std::string from;                             ///< that run, as people name it: `#12`
  std::map<std::string, JobEnd> jobs;           ///< by instance: not run again, ended as they did
  std::map<std::string, std::string> begin_at;  ///< by instance: at this step, with the workspace that was kept
};

/// What the user or the server asks of one run, beyond the definition.
struct RunOptions {
  Variables env;                                    ///< above the job's own env, below a step's
  std::string image;                                ///< in place of every job's; empty: none
  std::string default_image = "host";               ///< where neither job nor defaults name one
  Resources default_resources;                      ///< where the job says nothing
  std::vector<std::string> only_jobs;               ///< by definition or instance name; empty: all
  bool with_dependencies = true;                    ///< of only_jobs
  std::map<std::string, std::string> only_matrix;   ///< keeps only instances with these values
  bool follow_triggers = false;                     ///< jobs asked for become part of the run
  bool stdout_triggers = false;                     ///< JobSpec::stdout_triggers
  std::optional<std::uint32_t> max_parallel;        ///< jobs of this run at a time
  Duration cancel_grace = std::chrono::minutes(5);  ///< how long `always` jobs may go on after a cancellation
  bool may_write_trusted_cache = false;
  std::vector<CodePin> code;              ///< of every ci_code and source_code that could be looked up
  std::string commit;                     ///< that is run as it is; empty: a working tree, which may hold anything
  Trust source_trust = Trust::trusted;    ///< of the code that the run is about
  Trust checkout_trust = Trust::trusted;  ///< of the checkout that the definition is part of
  bool secrets_with_source = false;       ///< `--accept-risk secrets-with-source`
  bool keep_workspaces = false;  ///< each job's source directory, however it ends, as the artifact `workspace-JOB`
  std::uint64_t log_head_bytes = 64ULL << 20U, log_tail_bytes = 16ULL << 20U;  ///< of a step
  std::optional<Kept> kept;
};

/// Why something was decided, for `slipway explain`. `job` empty: about the run.
struct Decision {
  std::string job;
  std::string what;  ///< `start`, `instances`, `code`, `trust`, `run`, `skip`, `retry`, ...
  Trace because;
};

inline constexpr std::size_t kMaxRunVars = 1'000;

/// One execution of a workflow. Copied never, moved freely; owned by one thread.
struct Run {
  RunId id;
  std::int64_t number = 0;  ///< counts per project; 0: not stored yet
  std::shared_ptr<const Workflow> workflow;
  Event event;
  Named<Value> inputs;
  std::map<std::string, std::string> vars;  ///< that jobs set, on top of the workflow's; each once
  RunOptions options;
  std::shared_ptr<const Facts> facts;  ///< null: hash() and changed() are errors

  RunState state = RunState::planned;
  Outcome outcome = Outcome::skipped;  ///< the worst so far of what counts; final when finished
  int exit_code = 0;
  std::string reason;
  Time created{}, started{}, finished{};
  std::optional<StopWhy> cancelling;  ///< set once, by the first CancelRequested
  std::string cancel_reason;
  Time cancel_deadline{};
  bool cancelled_at_once = false;

  std::vector<Job> jobs;  ///< grows (for_each, triggers), never shrinks
  std::vector<Group> groups;
  std::vector<Decision> decisions;  ///< of the planner; later ones come with the transitions

  // Indexes, so that an event costs what it changes and not what the run holds.
  std::unordered_map<std::string, GroupIndex> group_by_name;
  std::unordered_map<std::string, JobIndex> job_by_name;
  std::unordered_map<AttemptId, JobIndex> job_by_attempt;  ///< attempts that have not ended
  std::deque<JobIndex> ready;  ///< entries whose job has left the state `ready` are stale: skipped
  std::set<std::pair<Time, JobIndex>> retries;
  std::uint32_t groups_open = 0;
  std::uint32_t triggered = 0;  ///< groups that triggers added
  std::uint32_t active = 0;     ///< starting or running
};

/// Nothing of the group runs: each of its jobs is taken over. False where they are not known yet.
bool is_kept(const Run& run, const Group& group);

/// The exit code of `slipway run` for one outcome: 0 succeeded or skipped · 1 failed, out of memory · 2 rejected ·
/// 3 cancelled · 5 infra_failed · 124 timed_out.
int exit_code_of(Outcome outcome);
/// Of several outcomes the one that the exit code is taken from: the first of 2, 5, 1, 124, 3.
Outcome worse(Outcome a, Outcome b);

}  // namespace slipway::model
