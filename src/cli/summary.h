#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/audience.h"
#include "cli/terminal_text.h"

namespace slipway::cli {

/// What is said when all is over: outcome, why, the first error lines of each failed step, what was stored, what would
/// run next. Keeps details of what failed only, and of at most kMaxDetails jobs. One thread.
class Summary {
 public:
  static constexpr std::size_t kMaxDetails = 20;

  /// `follow`: the command that would also have run what jobs asked for; empty: there is none.
  Summary(bool colour, std::string program, std::string follow = {})
      : colour_(colour), program_(std::move(program)), follow_(std::move(follow)) {}

  void run_started(const model::RunStarted& started);
  void annotated(const AttemptView& attempt, const wire::payload::Annotation& annotation);
  void noticed(const AttemptView& attempt, const wire::payload::Notice& notice);
  void stored(const AttemptView& attempt, const wire::payload::Artifact& artifact);
  void attempt_finished(const AttemptView& attempt, const model::AttemptFinished& finished);
  void job_finished(const model::JobFinished& finished, const std::string& label);
  void triggered(const model::Triggered& triggered);
  void run_finished(const model::RunFinished& finished);

  /// Reads the journals of failed steps. `failures`: nothing for what succeeded.
  enum class Detail { all, failures };
  std::string text(Detail detail) const;

 private:
  struct FailedStep {
    std::string name;
    std::uint16_t index = 0;
    model::Outcome outcome = model::Outcome::failed;
    int exit_code = 0;
  };
  struct LastAttempt {
    std::string journal_path;
    std::vector<FailedStep> failed_steps;
    std::size_t steps = 0;
    std::string lost_service;  // that ended, or never became ready, and so failed the job
  };
  struct JobEnd {
    model::JobFinished notice;
    std::string label;
    LastAttempt attempt;
  };
  struct Kept {
    std::string name, job;
    std::uint64_t files = 0, bytes = 0;
  };
  struct Warning {
    Mark mark = Mark::allowed_failure;
    std::string text;
  };
  struct RunEnd {
    model::RunStarted started;
    model::RunFinished finished;
    std::map<model::Outcome, std::size_t> counts;
    std::size_t jobs = 0, allowed_failures = 0;
    std::vector<JobEnd> ends;  // of what did not succeed
    std::size_t more_ends = 0;
    std::vector<Kept> artifacts, caches;
    std::vector<model::Triggered> triggers;
    std::vector<Warning> warnings;
    std::size_t more_warnings = 0;
    bool ended = false;
  };

  void warn(const AttemptView& attempt, Mark mark, std::string text);
  void append_run(std::string& out, const RunEnd& run, Detail detail) const;
  void append_job(std::string& out, const RunEnd& run, const JobEnd& end) const;
  void append_error_lines(std::string& out, const std::string& journal_path, std::uint16_t step) const;
  void append_stored(std::string& out, const RunEnd& run) const;
  void append_triggers(std::string& out, const RunEnd& run) const;

  bool colour_;
  std::string program_, follow_;
  std::vector<RunId> order_;
  std::map<RunId, RunEnd> runs_;
  std::map<std::pair<RunId, std::string>, LastAttempt> attempts_;  // of jobs that have not ended
};

/// The first lines of a step that look like errors, else its last ones; printable, at most `most` of at most 300 bytes.
/// Reads at most 256 MiB of the journal.
std::vector<std::string> error_lines(const std::string& journal_path, std::uint16_t step, std::size_t most);
bool looks_like_error(std::string_view line);

/// The command that runs what a job asked for, alone. Empty where none does: it has variables (pasted unread, BASH_ENV
/// or LD_PRELOAD would run what the command does not show), is of a template, or waits for other jobs.
std::string command_for(const std::string& program, const model::Triggered& triggered);
/// `NAME`, and what became of it: `NAME, which joins this run as NAME (2)`.
std::string asked_text(const model::Triggered& triggered);
/// For a POSIX shell.
std::string shell_quoted(std::string_view word);

}  // namespace slipway::cli
