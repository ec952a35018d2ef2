#include "cli/plain_view.h"

#include "base/short_sha.h"
#include "cli/configuration.h"
#include "cli/log_line.h"
#include "cli/terminal_text.h"

namespace slipway::cli {

std::optional<Mark> mark_of(wire::payload::Annotation::Level level) {
  switch (level) {
    case wire::payload::Annotation::Level::error: return Mark::failed;
    case wire::payload::Annotation::Level::warning: return Mark::allowed_failure;
    case wire::payload::Annotation::Level::notice: break;
  }
  return std::nullopt;
}

std::string annotation_text(const wire::payload::Annotation& annotation) {
  std::string text = fmt::format("{}: ", wire::payload::to_string(annotation.level));
  if (!annotation.file.empty()) {
    text += annotation.file;
    if (annotation.line > 0) text += fmt::format(":{}", annotation.line);
    if (annotation.line > 0 && annotation.column > 0) text += fmt::format(":{}", annotation.column);
    text += ": ";
  }
  if (!annotation.title.empty()) text += annotation.title + (annotation.message.empty() ? "" : ": ");
  return text + annotation.message;
}

void PlainView::line(std::string_view label, std::string_view mark, std::string_view text) {
  if (lines_ != Lines::all) return;
  std::string& out = sink_.buffer();
  append_printable(out, label, Colour::strip);
  if (!mark.empty()) {
    out += ' ';
    out += mark;
    out += ' ';
  }
  // What jobs and files say may hold newlines: still one line.
  std::string one(text);
  std::ranges::replace(one, '\n', ' ');
  append_printable(out, one, colour_ ? Colour::keep : Colour::strip);
  out += '\n';
  sink_.written();
}

void PlainView::run_started(const model::RunStarted& started) {
  summary_.run_started(started);
  std::string where = started.branch;
  if (!started.sha.empty()) where += fmt::format("{}@ {}", where.empty() ? "" : " ", short_sha(started.sha));
  if (!where.empty()) where = (started.branch.empty() ? " " : ", ") + where;
  line("", "",
       fmt::format("run {} of {} ({}{}): {}", started.run.value, started.workflow, started.event, where,
                   counted(started.jobs.size(), "job")));
}

void PlainView::jobs_added(const model::JobsAdded& added) {
  line("", "",
       fmt::format("{} more job{} ({}): {}", added.jobs.size(), added.jobs.size() == 1 ? "" : "s", added.because,
                   join(added.jobs, ", ")));
}

void PlainView::attempt_started(const AttemptView& attempt, Time /*at*/) {
  if (attempt.number > 1) line(attempt.label, ">", fmt::format("try {}", attempt.number));
}

void PlainView::step_started(const AttemptView& attempt, std::uint16_t /*step*/,
                             const wire::payload::StepStarted& started, Time /*at*/) {
  const std::string again = started.attempt > 1 ? fmt::format(" (try {})", started.attempt) : "";
  const std::string below = started.parent ? fmt::format("{} / ", attempt.step_name(*started.parent)) : "";
  line(attempt.label, ">", fmt::format("{}{}{}: {}", below, started.name, again, started.command));
}

void PlainView::output(const AttemptView& attempt, const OutputLine& line) {
  if (lines_ != Lines::all) return;
  if (line.mark == nullptr) return log_line(attempt, line.text);
  if (const auto text = mark_text(*line.mark, line.text, colour_)) log_line(attempt, *text);
}

void PlainView::grouped(const AttemptView& attempt, std::uint16_t /*step*/, const wire::payload::Group& group,
                        Time /*at*/) {
  if (lines_ == Lines::all && group.start) log_line(attempt, group_text(group.name, colour_));
}

void PlainView::log_line(const AttemptView& attempt, std::string_view printed) {
  if (prefix_of_ != attempt.label) {
    prefix_of_ = attempt.label;
    prefix_.clear();
    append_printable(prefix_, attempt.label, Colour::strip);
    prefix_ = fmt::format("{}{} |{} ", dim(colour_), prefix_, reset(colour_));
  }
  std::string& out = sink_.buffer();
  out += prefix_;
  std::string drawn;
  const std::string_view text = visible_line(printed, drawn);
  append_printable(out, text, colour_ ? Colour::keep : Colour::strip);
  // A colour that a job left on must not run into what follows.
  if (colour_ && text.find('\x1b') != std::string_view::npos) out += reset(colour_);
  out += '\n';
  sink_.written();
}

void PlainView::output_lost(const AttemptView& attempt, std::uint16_t step, std::uint64_t bytes, Time /*at*/) {
  line(attempt.label, "!",
       fmt::format("{} of output of step {} were cut by the log cap", size_text(bytes), attempt.step_name(step)));
}

void PlainView::step_finished(const AttemptView& attempt, std::uint16_t /*step*/,
                              const wire::payload::StepFinished& finished, Time /*at*/) {
  const model::StepResult& result = finished.result;
  if (result.outcome == model::Outcome::skipped) {
    return line(attempt.label, "<",
                fmt::format("{} skipped{}{}", result.name, finished.reason.empty() ? "" : ": ", finished.reason));
  }
  const std::string below = result.parent ? fmt::format("{} / ", attempt.step_name(*result.parent)) : "";
  std::string text = fmt::format("{}{} {}", below, result.name,
                                 result.outcome == model::Outcome::succeeded ? "ok" : outcome_text(result.outcome));
  const std::string exit = exit_text(result.outcome, result.exit_code);
  if (!exit.empty()) text += fmt::format(" ({})", exit);
  text += fmt::format(" in {}", to_short_text(result.finished - result.started));
  const bool is_told = !exit.empty() && finished.reason == fmt::format("exit code {}", result.exit_code);
  if (!finished.reason.empty() && !is_told) text += ": " + finished.reason;
  if (finished.failure_allowed) text += " (allowed)";
  if (finished.will_retry) text += "; trying again";
  line(attempt.label, "<", text);
}

void PlainView::annotated(const AttemptView& attempt, std::uint16_t /*step*/,
                          const wire::payload::Annotation& annotation, Time /*at*/) {
  summary_.annotated(attempt, annotation);
  if (annotation.printed) return;  // its line was shown
  line(attempt.label, "!", annotation_text(annotation));
}

void PlainView::stored(const AttemptView& attempt, const wire::payload::Artifact& artifact, Time /*at*/) {
  summary_.stored(attempt, artifact);
  for (const std::string& refused : artifact.refused) {
    line(attempt.label, "!", fmt::format("artifact {}: not taken: {}", artifact.name, refused));
  }
}

void PlainView::noticed(const AttemptView& attempt, const wire::payload::Notice& notice, Time /*at*/) {
  summary_.noticed(attempt, notice);
  if (notice.code == kHeldRemark) return;  // the remark follows, which says what to do about it
  line(attempt.label, "!", notice.message);
}

void PlainView::journal_damaged(const AttemptView& attempt, const std::string& what) { line(attempt.label, "!", what); }

void PlainView::attempt_finished(const AttemptView& attempt, const model::AttemptFinished& finished) {
  summary_.attempt_finished(attempt, finished);
  if (!finished.will_retry) return;
  line(attempt.label, "<",
       fmt::format("try {} {}{}{}; trying again", attempt.number, outcome_text(finished.report.outcome),
                   finished.report.reason.empty() ? "" : ": ", finished.report.reason));
}

void PlainView::job_finished(const model::JobFinished& finished, const std::string& label) {
  summary_.job_finished(finished, label);
  std::string text = outcome_text(finished.outcome);
  if (finished.finished > finished.started)
    text += fmt::format(" in {}", to_short_text(finished.finished - finished.started));
  if (!finished.reason.empty()) text += ": " + finished.reason;
  if (finished.failure_allowed) text += " (allowed)";
  line(label, "<", text);
}

void PlainView::triggered(const model::Triggered& triggered) {
  summary_.triggered(triggered);
  line(triggered.by_job, "!", "asks for job " + asked_text(triggered));
}

void PlainView::run_finished(const model::RunFinished& finished) { summary_.run_finished(finished); }
void PlainView::said(std::string_view text) { line("", "", text); }

void PlainView::told(const Remark& remark) {
  // A job that waits for a person is worth a line even where nothing else is.
  const Lines wanted = std::exchange(lines_, remark.code == kHeldRemark ? Lines::all : lines_);
  line(remark.job, "!", remark.text);
  lines_ = wanted;
}

void PlainView::pause(Time /*now*/) { sink_.flush(); }

void PlainView::end() {
  sink_.flush();
  sink_.buffer() += summary_.text(lines_ == Lines::all ? Summary::Detail::all : Summary::Detail::failures);
  sink_.flush();
}

}  // namespace slipway::cli
