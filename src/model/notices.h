#pragma once

#include <string>
#include <variant>
#include <vector>

#include "model/job_spec.h"

/// What the engine tells whoever watches a run, in order. Live views, `--json` and the history read nothing else;
/// steps and output come from the journal, whose file and length the notices carry.
namespace slipway::model {

struct RunStarted {
  RunId run;
  std::string workflow, event, branch, sha;
  std::vector<std::string> jobs;  ///< instances known so far
  Time at{};
  Trust source_trust = Trust::trusted;  ///< of the code that it is about
};
/// More instances than were known at the start: a `for_each` was expanded, or a trigger asked for a job.
struct JobsAdded {
  RunId run;
  std::vector<std::string> jobs;
  std::string because;
};
struct AttemptStarted {
  RunId run;
  std::string job;
  AttemptId attempt;
  int number = 1;
  std::string journal_path;
  std::vector<std::string> steps;
  Time at{};
};
struct AttemptProgress {
  RunId run;
  std::string job;
  AttemptId attempt;
  std::uint64_t journal_bytes = 0;
};
struct AttemptFinished {
  RunId run;
  std::string job;
  AttemptReport report;
  bool will_retry = false;
  Time retry_at{};
};
struct JobFinished {
  RunId run;
  std::string job;
  Outcome outcome = Outcome::skipped;
  int exit_code = 0;
  std::string reason;            ///< why it was skipped, cancelled, failed
  bool failure_allowed = false;  ///< continue_on_error
  Time started{}, finished{};    ///< both equal where it never ran
};
/// A job asked for another: it is part of this run now (`accepted`), was refused (`reason`), or is what would run next.
struct Triggered {
  RunId run;
  std::string by_job;
  std::string job;   ///< the job asked for
  std::string json;  ///< the trigger as it was given
  bool accepted = false;
  std::string reason;     ///< why it was refused
  std::string as;         ///< the name in this run, where it is accepted
  std::string file;       ///< the project's job file that it is of; empty: a template, or the trigger says it all
  std::string image;      ///< as the job has it
  bool is_alone = false;  ///< its script or file alone, run by a person, would do the same

  bool is_next() const { return !accepted && reason.empty(); }
};
struct RunFinished {
  RunId run;
  Outcome outcome = Outcome::succeeded;
  int exit_code = 0;
  std::string reason;
  Time at{};
  TestCounts tests{};  ///< of all its jobs, each by its last attempt
};

using Notice = std::variant<RunStarted, JobsAdded, AttemptStarted, AttemptProgress, AttemptFinished, JobFinished,
                            Triggered, RunFinished>;

/// Called on the engine's dispatcher thread, in order: take a copy and return at once.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void on_notice(const Notice& notice) = 0;
};

}  // namespace slipway::model
