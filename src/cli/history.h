#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/expression.h"
#include "model/job_spec.h"

namespace slipway::cli {

struct AttemptEntry {
  AttemptId id;
  int number = 1;
  std::optional<model::Outcome> outcome;  ///< none: still running
  int exit_code = 0;
  std::string reason;
  std::string image;  ///< as it was pinned; empty: it never came to that
  Time started{}, finished{};
  model::Resources resources;  ///< what it could have at most
  std::vector<model::StepResult> steps;
  std::vector<std::string> step_names;  ///< by index of the journal's records, also those that never ran
  std::filesystem::path journal;        ///< absolute; sealed or not
  bool abandoned = false;               ///< without an outcome, since whoever drove it died
};

struct ArtifactEntry {
  std::string name;
  std::string job;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  bool untrusted = false;  ///< untrusted source may have written it
};

struct DecisionEntry {
  std::string what;  ///< `start`, `instances`, `code`, `trust`, `run`, `skip`, `retry`, ...
  model::Trace trace;
};

struct JobEntry {
  std::string name;  ///< with instance: `test (gcc, 17)`
  std::optional<model::Outcome> outcome;
  int exit_code = 0;
  std::string reason;
  bool failure_allowed = false;
  Time started{}, finished{};
  std::string definition;
  std::vector<std::string> depends_on;  ///< definitions
  std::vector<AttemptEntry> attempts;
  std::vector<DecisionEntry> decisions;
  bool abandoned = false;  ///< as above
};

struct RunEntry {
  RunId id;
  std::int64_t number = 0;  ///< counts per project; 0: none
  std::string project, workflow, event, branch, sha, file;
  std::optional<model::Outcome> outcome;  ///< none: running, or its process died: see `is_alive`
  bool is_alive = false;
  int exit_code = 0;
  std::string reason;
  Time started{}, finished{};
  std::size_t jobs_total = 0, jobs_failed = 0;
  std::vector<JobEntry> jobs;            ///< empty in a listing
  std::vector<DecisionEntry> decisions;  ///< about the run as a whole
  std::vector<ArtifactEntry> artifacts;
};

/// One test of a run, by the last attempt of its job.
struct TestEntry {
  std::string job;
  model::TestResult result;
  model::TestVerdict verdict;
};

enum class Projects { this_one, all };

/// Which runs to list; what is empty does not filter.
struct WantedRuns {
  Projects projects = Projects::this_one;
  std::string workflow;
  std::optional<model::Outcome> outcome;
};

/// The local history of runs. One thread at a time.
class RunHistory {
 public:
  virtual ~RunHistory() = default;
  /// Newest first, at most `most`, without jobs.
  virtual Result<std::vector<RunEntry>> list(std::size_t most, const WantedRuns& which) = 0;
  /// With jobs, attempts and artifacts. `text`: an id or its beginning, a number, or `latest`. Errors: `not_found`;
  /// `conflict` when it fits several runs.
  virtual Result<RunEntry> find(const std::string& text) = 0;
  /// By job, suite and name, texts included.
  virtual Result<std::vector<TestEntry>> tests(const RunId& run) = 0;
  /// The run with its journals and artifacts; how many bytes that freed. `conflict`: it is running.
  virtual Result<std::uint64_t> remove(const RunId& run) = 0;
  /// Removes content that no run has any more, as after `remove`; how many bytes that freed.
  virtual Result<std::uint64_t> sweep() = 0;
  /// Unpacks one artifact into `directory`, which is created. `not_found`.
  virtual Result<void> get_artifact(const RunId& run, const std::string& name,
                                    const std::filesystem::path& directory) = 0;
};

}  // namespace slipway::cli
