#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "model/job_spec.h"
#include "model/run.h"

/// What outlives a process: runs, jobs, attempts, decisions, triggers. Never a secret's value, only names.
namespace slipway::store {

struct RunRow {
  RunId id;
  std::string project;      ///< the repository's root, or its name on a server
  std::int64_t number = 0;  ///< per project, given by `add_run`
  std::string workflow, file;
  std::string event;  ///< kind
  std::string event_json;
  std::string branch, sha;
  std::string commit;  ///< that was run as it is; empty: a working tree
  model::RunState state = model::RunState::planned;
  std::optional<model::Outcome> outcome;  ///< once finished
  int exit_code = 0;
  std::string reason;
  Time created{}, started{}, finished{};
  std::string options_json;  ///< how it was asked for, for people
  std::vector<std::string> secret_names;
  std::string owner;                           ///< the process that drives it (store/owner.h)
  model::Trust trust = model::Trust::trusted;  ///< untrusted: its text or its source is a stranger's
};

struct JobRow {
  RunId run;
  model::JobIndex index = 0;  ///< with `run` the key
  std::string name, definition;
  model::JobState state = model::JobState::waiting;
  std::optional<model::Outcome> outcome;
  int exit_code = 0;
  std::string reason;
  bool failure_allowed = false;
  int attempts = 0;
  AttemptId attempt;  ///< the latest
  Time started{}, finished{};
  std::map<std::string, std::string> outputs;
  std::string environment;              ///< where it deploys to, known once it has started; empty: nowhere
  std::vector<std::string> depends_on;  ///< definitions
};

struct AttemptRow {
  AttemptId id;
  RunId run;
  std::string job;
  int number = 1;
  std::string journal_path;  ///< as the executor gave it: relative to the state directory
  Time started{};
  std::optional<model::AttemptReport> report;  ///< once ended
};

struct DecisionRow {
  RunId run;
  model::Decision decision;
  Time at{};
};

/// The test results of one attempt.
struct TestsRow {
  RunId run;
  std::string job;
  int attempt = 1;
  std::vector<model::TestResult> results;
};

/// One test of a run, by the last attempt of its job.
struct TestRow {
  std::string job;
  model::TestResult result;
  /// Newest first, from this run's on, at most model::kTestHistory; empty for a test that has never failed.
  std::vector<model::TestOccurrence> history;
};

struct TriggerRow {
  RunId run;
  std::string by_job, job, json;
  bool accepted = false;
  std::string reason;
  Time at{};
};

/// Rows to be written together: all or none. A row that is there already is replaced (runs: but for what never
/// changes).
struct Batch {
  std::vector<RunRow> runs;  ///< updates only; new ones by `add_run`
  std::vector<JobRow> jobs;
  std::vector<AttemptRow> attempts;
  std::vector<DecisionRow> decisions;
  std::vector<TriggerRow> triggers;
  std::vector<TestsRow> tests;

  bool empty() const {
    return runs.empty() && jobs.empty() && attempts.empty() && decisions.empty() && triggers.empty() && tests.empty();
  }
};

/// Which runs to list; empty fields do not filter.
struct RunFilter {
  std::string project, workflow, branch, event;
  std::optional<model::Outcome> outcome;
  bool unfinished_only = false;
};
struct RunPage {
  std::vector<RunRow> runs;         ///< newest first
  std::optional<std::string> next;  ///< cursor for the page after; no value: this was the last
};

struct JobResult {
  RunId run;
  JobRow job;
};

/// The durable store. Implementations: sqlite/. Contract: store/contract_test.cc.
///
/// One thread at a time may use an object; several processes may have the same store open. Errors: `unavailable` while
/// another process holds it for longer than the busy timeout (retry), `exhausted` when the disk is full,
/// `internal` when the file is damaged or from a newer Slipway.
class Store {
 public:
  virtual ~Store() = default;

  // --- writing ---
  /// Adds a run and gives it the next number of its project. Durable as of `commit`. `conflict`: the id is there.
  virtual Result<std::int64_t> add_run(const RunRow& run) = 0;
  /// One transaction. Survives a kill of this process at once, a power cut after the next checkpoint.
  virtual Result<void> commit(const Batch& batch) = 0;
  /// The run and all that hangs on it. Journals are the caller's: they are named by `attempts_of` before.
  virtual Result<void> remove_run(const RunId& run) = 0;

  // --- reading ---
  /// At most `most` (1 to 1,000) from `cursor` on (empty: the newest). `invalid`: no such cursor.
  virtual Result<RunPage> list_runs(const RunFilter& filter, std::size_t most, const std::string& cursor) = 0;
  /// By id, by a prefix of one id of at least 4 characters, by number in `project` (`12`, `#12`), or `latest`.
  /// `not_found`; `conflict` when a prefix fits several.
  virtual Result<RunRow> find_run(const std::string& project, const std::string& text) = 0;
  virtual Result<std::vector<JobRow>> jobs_of(const RunId& run) = 0;
  /// In order of their start, reports included.
  virtual Result<std::vector<AttemptRow>> attempts_of(const RunId& run) = 0;
  virtual Result<std::vector<DecisionRow>> decisions_of(const RunId& run) = 0;
  virtual Result<std::vector<TriggerRow>> triggers_of(const RunId& run) = 0;
  enum class TestDetail { outcomes, with_texts };
  /// By job, suite and name. A run without any: empty. Cost: the run's tests, and the history of those that ever
  /// failed.
  virtual Result<std::vector<TestRow>> tests_of(const RunId& run, TestDetail detail) = 0;
  /// The newest finished job of that name (instance or definition) in the project's trusted runs.
  virtual Result<std::optional<JobResult>> newest_result(const std::string& project, const std::string& job) = 0;
  /// Jobs of that name that are starting or running, of any process. Owners may be dead: see `recover`.
  virtual Result<std::vector<JobResult>> running_jobs(const std::string& project, const std::string& job) = 0;
  /// Runs that have no outcome, of every owner.
  virtual Result<std::vector<RunRow>> unfinished_runs() = 0;
};

}  // namespace slipway::store
