#include "cli/summary.h"

#include <algorithm>

#include "cli/attempt_notes.h"
#include "cli/configuration.h"
#include "cli/plain_view.h"
#include "cli/terminal_text.h"
#include "cli/trigger_text.h"
#include "model/wording.h"

namespace slipway::cli {

namespace {

constexpr std::size_t kErrorLines = 5;
constexpr std::size_t kMaxNotes = 20;
constexpr std::size_t kMaxCommand = 400;

std::string count_text(const std::map<model::Outcome, std::size_t>& counts) {
  std::vector<std::string> parts;
  for (const auto& [outcome, count] : counts) parts.push_back(fmt::format("{} {}", count, outcome_text(outcome)));
  return join(parts, ", ");
}

}  // namespace

std::string shell_quoted(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

std::string command_for(const std::string& program, const model::Triggered& triggered) {
  if (!triggered.is_alone || !triggered.is_next()) return {};
  if (!triggered.file.empty()) return fmt::format("{} run {}", program, shell_quoted(triggered.file));
  const std::vector<AskedFor> asked = read_trigger(triggered.json);
  const auto job = std::ranges::find(asked, triggered.job, &AskedFor::name);
  if (job == asked.end() || job->script.empty()) return {};
  std::string command = fmt::format("{} run --job-command {}", program, shell_quoted(job->script));
  if (!triggered.image.empty()) command += " --image " + shell_quoted(triggered.image);
  // A command that was cut would do something else.
  return command.size() > kMaxCommand ? std::string() : command;
}

std::string asked_text(const model::Triggered& triggered) {
  if (!triggered.reason.empty()) {
    return fmt::format("{}, which is refused: {}", triggered.job.empty() ? "without a name" : triggered.job,
                       triggered.reason);
  }
  if (!triggered.accepted) return triggered.job;
  return triggered.job + ", which joins this run" + (triggered.as == triggered.job ? "" : " as " + triggered.as);
}

void Summary::run_started(const model::RunStarted& started) {
  order_.push_back(started.run);
  runs_[started.run].started = started;
}

void Summary::annotated(const AttemptView& attempt, const wire::payload::Annotation& annotation) {
  if (const auto mark = mark_of(annotation.level)) warn(attempt, *mark, annotation_text(annotation));
}

void Summary::noticed(const AttemptView& attempt, const wire::payload::Notice& notice) {
  if (notice.code != "cache") warn(attempt, Mark::allowed_failure, notice.message);  // of a cache nobody is warned
}

void Summary::warn(const AttemptView& attempt, Mark mark, std::string text) {
  RunEnd& run = runs_[attempt.run];
  if (run.warnings.size() >= kMaxNotes) {
    ++run.more_warnings;
    return;
  }
  std::ranges::replace(text, '\n', ' ');
  run.warnings.push_back({mark, fmt::format("{}: {}", attempt.label, text)});
}

void Summary::stored(const AttemptView& attempt, const wire::payload::Artifact& artifact) {
  RunEnd& run = runs_[attempt.run];
  auto& kept = artifact.kind == wire::payload::Artifact::Kind::cache ? run.caches : run.artifacts;
  if (kept.size() < kMaxNotes) kept.push_back({artifact.name, attempt.label, artifact.files, artifact.bytes});
}

void Summary::attempt_finished(const AttemptView& attempt, const model::AttemptFinished& finished) {
  LastAttempt last{.journal_path = attempt.journal_path,
                   .failed_steps = {},
                   .steps = finished.report.steps.size(),
                   .lost_service = std::string(model::service_in(finished.report.reason))};
  for (std::size_t i = 0; i < finished.report.steps.size(); ++i) {
    const model::StepResult& step = finished.report.steps[i];
    if (model::ending_of(step.outcome) != model::Ending::failed) continue;
    last.failed_steps.push_back({step.name, static_cast<std::uint16_t>(i), step.outcome, step.exit_code});
  }
  attempts_.insert_or_assign({finished.run, finished.job}, std::move(last));
}

void Summary::job_finished(const model::JobFinished& finished, const std::string& label) {
  RunEnd& run = runs_[finished.run];
  ++run.jobs;
  ++run.counts[finished.outcome];
  auto attempt = attempts_.extract({finished.run, finished.job});
  if (finished.outcome == model::Outcome::succeeded) return;
  if (finished.failure_allowed) ++run.allowed_failures;
  if (run.ends.size() >= kMaxDetails) {
    ++run.more_ends;
    return;
  }
  run.ends.push_back({finished, label, attempt.empty() ? LastAttempt{} : std::move(attempt.mapped())});
}

void Summary::triggered(const model::Triggered& triggered) {
  std::vector<model::Triggered>& triggers = runs_[triggered.run].triggers;
  // One that is refused has an annotation that says why.
  if (triggered.is_next() && triggers.size() < kMaxNotes) triggers.push_back(triggered);
}

void Summary::run_finished(const model::RunFinished& finished) {
  RunEnd& run = runs_[finished.run];
  run.finished = finished;
  run.ended = true;
}

std::string Summary::text(Detail detail) const {
  std::string out;
  for (const RunId& id : order_) append_run(out, runs_.at(id), detail);
  return out;
}

void Summary::append_run(std::string& out, const RunEnd& run, Detail detail) const {
  const model::Outcome outcome = run.finished.outcome;
  const bool went_well = run.ended && outcome == model::Outcome::succeeded;
  if (detail == Detail::failures && went_well) return;
  const Mark mark = run.ended ? mark_of(outcome) : Mark::cancelled;
  if (detail == Detail::all) out += '\n';
  out +=
      fmt::format("{} {}{}{} {}", symbol(mark, colour_), bold(colour_), printable(run.started.workflow, Colour::strip),
                  reset(colour_), run.ended ? outcome_text(outcome) : "did not end");
  if (run.ended) out += fmt::format(" in {}", to_short_text(run.finished.at - run.started.at));
  if (!run.finished.reason.empty()) out += fmt::format(": {}", printable(run.finished.reason, Colour::strip));
  out +=
      fmt::format("  {}({}; run {}){}\n", dim(colour_), count_text(run.counts), run.started.run.value, reset(colour_));
  if (const model::TestCounts& tests = run.finished.tests; tests.total() > 0) {
    out += fmt::format("  tests: {}", model::counts_text(tests));
    if (tests.failed + tests.flaky > 0) out += fmt::format(": {} runs tests {}", program_, run.started.run.value);
    out += '\n';
  }
  for (const JobEnd& end : run.ends) append_job(out, run, end);
  if (run.more_ends > 0) {
    out += fmt::format("  ... and {} more: {} runs view {}\n", run.more_ends, program_, run.started.run.value);
  }
  for (const Warning& warning : run.warnings) {
    out += fmt::format("  {} {}\n", symbol(warning.mark, colour_), printable(warning.text, Colour::strip));
  }
  if (run.more_warnings > 0) {
    out += fmt::format("  ... and {} more: {} runs view {}\n", run.more_warnings, program_, run.started.run.value);
  }
  if (detail == Detail::failures) return;
  append_stored(out, run);
  append_triggers(out, run);
}

void Summary::append_job(std::string& out, const RunEnd& run, const JobEnd& end) const {
  const model::JobFinished& job = end.notice;
  const Mark mark = job.failure_allowed ? Mark::allowed_failure : mark_of(job.outcome);
  out +=
      fmt::format("  {} {}  {}", symbol(mark, colour_), printable(end.label, Colour::strip), outcome_text(job.outcome));
  if (job.finished > job.started) out += fmt::format(" in {}", to_short_text(job.finished - job.started));
  if (!job.reason.empty()) out += fmt::format(": {}", printable(job.reason, Colour::strip));
  if (job.failure_allowed) out += " (allowed)";
  out += '\n';
  if (model::ending_of(job.outcome) != model::Ending::failed) return;
  for (const FailedStep& step : end.attempt.failed_steps) {
    const std::string exit = exit_text(step.outcome, step.exit_code);
    out += fmt::format("      step {}: {}{}\n", printable(step.name, Colour::strip), outcome_text(step.outcome),
                       exit.empty() ? "" : ", " + exit);
    append_error_lines(out, end.attempt.journal_path, step.index);
  }
  if (const std::string& service = end.attempt.lost_service; !service.empty() && !end.attempt.journal_path.empty()) {
    append_error_lines(out, service_journal(end.attempt.journal_path, service).string(), 0);
    out += fmt::format("      {} logs {} {} --service {}\n", program_, run.started.run.value, shell_quoted(job.job),
                       shell_quoted(service));
  }
  if (end.attempt.steps > 0) {
    out += fmt::format("      {} logs {} {}\n", program_, run.started.run.value, shell_quoted(job.job));
  }
}

void Summary::append_error_lines(std::string& out, const std::string& journal_path, std::uint16_t step) const {
  for (const std::string& line : error_lines(journal_path, step, kErrorLines)) {
    out += fmt::format("      {}|{} {}\n", dim(colour_), reset(colour_), line);
  }
}

void Summary::append_stored(std::string& out, const RunEnd& run) const {
  for (const Kept& artifact : run.artifacts) {
    out +=
        fmt::format("  artifact {} of {} ({}, {}): {} runs artifacts {} {}\n", printable(artifact.name, Colour::strip),
                    printable(artifact.job, Colour::strip), counted(artifact.files, "file"), size_text(artifact.bytes),
                    program_, run.started.run.value, shell_quoted(artifact.name));
  }
  for (const Kept& cache : run.caches) {
    out += fmt::format("  cache {} saved by {} ({})\n", printable(cache.name, Colour::strip),
                       printable(cache.job, Colour::strip), size_text(cache.bytes));
  }
}

void Summary::append_triggers(std::string& out, const RunEnd& run) const {
  for (const model::Triggered& triggered : run.triggers) {
    out += fmt::format("  would run next: {} (asked for by {})\n", printable(triggered.job, Colour::strip),
                       printable(triggered.by_job, Colour::strip));
    // Pasted, a stranger's text would run as one's own.
    if (run.started.source_trust == model::Trust::untrusted) continue;
    const std::string command = command_for(program_, triggered);
    if (!command.empty()) out += fmt::format("      {}\n", printable(command, Colour::strip));
  }
  if (!run.triggers.empty() && !follow_.empty()) out += fmt::format("  to run what jobs ask for: {}\n", follow_);
}

}  // namespace slipway::cli
