#pragma once

#include <string>
#include <variant>
#include <vector>

#include "model/notices.h"
#include "model/run.h"

/// How a run moves on. Pure: no clock, no I/O, no lock; `now` is an argument. Decide here, persist in the store, and
/// only then act on the effects. Late and repeated events change nothing.
namespace slipway::model {

// --- events ---
/// The run may begin: its own concurrency group, if any, is entered.
struct RunBegins {};
struct AttemptRuns {
  AttemptId attempt;
  std::string journal_path;
};
/// One job that a trigger asks for, as the reader of triggers (engine/triggers.h) understood it.
struct AskedJob {
  std::string name;
  std::shared_ptr<const JobDefinition> definition;  ///< null: `problem` says why there is none
  std::string problem;
  std::string json;  ///< as it was given
  std::string file;  ///< of `definition`, where it was found in one of the project's
};
/// A running attempt asks for more jobs. They join the run when RunOptions.follow_triggers says so.
struct TriggerRequested {
  AttemptId attempt;
  std::string json;
  std::vector<AskedJob> jobs;
  std::string operation;  ///< of the same id an attempt's second trigger is a repeat; empty: it has none
};
/// Also how a lost attempt is reported: outcome `infra_failed`, with the reason.
struct AttemptEnded {
  AttemptReport report;
  std::vector<TriggerRequested> triggers;  ///< all of the attempt, in order; those already asked for change nothing
};
/// The run's own concurrency group is closed to it: nothing of it will run.
struct RunRefused {
  Outcome outcome = Outcome::cancelled;  ///< cancelled: a newer one took its place; rejected: the queue is full
  std::string reason;
};
/// The first one cancels gracefully; one with `at_once` also ends what was still allowed to go on.
struct CancelRequested {
  StopWhy why = StopWhy::by_user;
  Promptness promptness = Promptness::graceful;
  std::string reason;
};
/// The concurrency group of a job (effect EnterGroup) is entered, or closed to it.
struct GroupEntered {
  JobIndex job = 0;
};
struct GroupRefused {
  JobIndex job = 0;
  Outcome outcome = Outcome::cancelled;  ///< cancelled: a newer one took its place; rejected: the queue is full
  std::string reason;
};
/// One job's attempt is to end because another took its concurrency group.
struct JobSuperseded {
  JobIndex job = 0;
  std::string reason;
};
/// Time passed: due retries and the end of the grace after a cancellation.
struct Tick {};

using RunEvent = std::variant<RunBegins, RunRefused, AttemptRuns, AttemptEnded, TriggerRequested, CancelRequested,
                              GroupEntered, GroupRefused, JobSuperseded, Tick>;

// --- effects ---
struct StartAttempt {
  JobSpec spec;
};
struct StopAttempt {
  AttemptId attempt;
  StopWhy why = StopWhy::by_user;
  Promptness promptness = Promptness::graceful;
};
struct WakeAt {
  Time time{};
};
struct Notify {
  Notice notice;
};
/// Ask the concurrency groups (model/concurrency.h) for a place; answered by GroupEntered or GroupRefused.
struct EnterGroup {
  JobIndex job = 0;
  std::string group;
  Concurrency::Policy policy = Concurrency::Policy::queue;
};
/// The job is done with its group; harmless where it holds none.
struct LeaveGroup {
  JobIndex job = 0;
  std::string group;
};
using Effect = std::variant<StartAttempt, StopAttempt, WakeAt, Notify, EnterGroup, LeaveGroup>;

/// What one event did. `changed` may name a job twice.
struct Changes {
  std::vector<Effect> effects;    ///< in order
  std::vector<JobIndex> changed;  ///< jobs to be persisted
  std::vector<Decision> decisions;
  bool run_changed = false;

  void add(Changes&& more);
};

/// The only way a run changes, with `start_next`. Cost: what it changes, plus the dependents of what ended.
Changes on_event(Run& run, const RunEvent& event, Time now);

/// Takes the next ready job and makes it an attempt with the id `fresh`: at most one StartAttempt. Call it while
/// slots are free and `has_ready`. A job whose templates cannot be expanded is rejected, and the next one taken.
Changes start_next(Run& run, const AttemptId& fresh, Time now);

/// Is there a job that could start now, max_parallel of the run considered?
bool has_ready(Run& run);

}  // namespace slipway::model
