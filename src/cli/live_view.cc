#include "cli/live_view.h"

#include "cli/log_line.h"

#include "cli/plain_view.h"

namespace slipway::cli {

namespace {

constexpr std::size_t kTailLines = 6;
constexpr std::size_t kFailedLines = 60;  // of a failed step's log
constexpr std::size_t kFinalRows = 40;    // more jobs than these are only counted in the end
constexpr std::size_t kWidestLabel = 48;
constexpr Duration kStayWithLog = std::chrono::seconds(1);

bool has_ended(Mark mark) { return mark != Mark::running && mark != Mark::pending && mark != Mark::blocked; }

bool went_wrong(Mark mark) {
  return mark == Mark::failed || mark == Mark::timed_out || mark == Mark::infra_failed || mark == Mark::allowed_failure;
}

}  // namespace

void LineRing::add(std::string_view line) {
  if (lines_.size() < kLines) lines_.emplace_back();
  lines_[total_ % kLines].assign(line.substr(0, kLongest));
  ++total_;
}

std::vector<std::string_view> LineRing::last(std::size_t most) const {
  std::vector<std::string_view> lines;
  const std::uint64_t count = std::min<std::uint64_t>({most, kLines, total_});
  for (std::uint64_t i = total_ - count; i < total_; ++i) lines.emplace_back(lines_[i % kLines]);
  return lines;
}

void LineRing::clear() {
  lines_ = {};
  total_ = 0;
}

LiveView::LiveView(Sink& sink, bool colour, std::string program, std::function<TerminalSize()> size, std::string follow)
    : sink_(sink),
      colour_(colour),
      size_(std::move(size)),
      summary_(colour, program, std::move(follow)),
      program_(std::move(program)) {}

LiveView::~LiveView() {
  if (!cursor_hidden_) return;
  sink_.buffer() += "\x1b[?25h";
  sink_.flush();
}

LiveView::Row& LiveView::row_of(const RunId& run, const std::string& job) {
  const auto [found, is_new] = row_by_job_.try_emplace({run, job}, rows_.size());
  if (is_new) rows_.push_back({.label = printable(job, Colour::strip), .mark = Mark::pending, .doing = {}});
  return rows_[found->second];
}

void LiveView::print(std::string_view line) {
  permanent_ += line;
  permanent_ += "\x1b[K\n";
}

void LiveView::run_started(const model::RunStarted& started) {
  summary_.run_started(started);
  if (title_.empty()) {
    begun_ = started.at;
    title_ = printable(fmt::format("{}  {}{}{}", started.workflow, started.event, started.branch.empty() ? "" : " on ",
                                   started.branch),
                       Colour::strip);
  }
  for (const std::string& job : started.jobs) row_of(started.run, job);
}

void LiveView::jobs_added(const model::JobsAdded& added) {
  for (const std::string& job : added.jobs) row_of(added.run, job);
}

void LiveView::attempt_started(const AttemptView& attempt, Time at) {
  Row& row = row_of(attempt.run, attempt.job);
  row.label = printable(attempt.label, Colour::strip);
  row.mark = Mark::running;
  row.doing = attempt.number > 1 ? fmt::format("try {}", attempt.number) : "";
  if (row.started == Time{}) row.started = at;
  Active& active = active_[{attempt.run, attempt.job}];
  active = {};
  active.label = row.label;
}

void LiveView::step_started(const AttemptView& attempt, std::uint16_t step, const wire::payload::StepStarted& started,
                            Time /*at*/) {
  Row& row = row_of(attempt.run, attempt.job);
  const bool is_counted = attempt.job_steps > 1 && step < attempt.job_steps;  // a child step is none of so many
  const std::string of = is_counted ? fmt::format(" ({}/{})", step + 1, attempt.job_steps) : "";
  row.doing = printable(started.name, Colour::strip) + of;
  Active& active = active_[{attempt.run, attempt.job}];
  StepShown& shown = active.steps[step];
  shown.name = printable(started.name, Colour::strip);
  shown.mark = Mark::running;
  active.last_step = step;
}

void LiveView::output(const AttemptView& attempt, const OutputLine& line) {
  Active* active = nullptr;
  // Most lines are of the attempt whose tail is shown: no look-up for these.
  if (shown_ != nullptr && shown_->label == attempt.label) {
    active = shown_;
  } else {
    active = &active_[{attempt.run, attempt.job}];
    if (shown_ == nullptr || line.time - shown_since_ > kStayWithLog) shown_ = active;
  }
  if (shown_ == active) shown_since_ = line.time;
  active->last_step = line.step;
  if (line.mark != nullptr) {
    if (const auto shown = mark_text(*line.mark, line.text, colour_)) active->steps[line.step].ring.add(*shown);
    return;
  }
  std::string drawn;
  const std::string_view text = visible_line(line.text, drawn);
  active->steps[line.step].ring.add(text);
}

void LiveView::grouped(const AttemptView& attempt, std::uint16_t step, const wire::payload::Group& group, Time /*at*/) {
  if (group.start) active_[{attempt.run, attempt.job}].steps[step].ring.add(group_text(group.name, colour_));
}

void LiveView::output_lost(const AttemptView& attempt, std::uint16_t step, std::uint64_t bytes, Time /*at*/) {
  active_[{attempt.run, attempt.job}].steps[step].lost = bytes;
}

void LiveView::step_finished(const AttemptView& attempt, std::uint16_t step,
                             const wire::payload::StepFinished& finished, Time /*at*/) {
  StepShown& shown = active_[{attempt.run, attempt.job}].steps[step];
  const model::StepResult& result = finished.result;
  shown.name = printable(result.name, Colour::strip);
  shown.mark = finished.failure_allowed ? Mark::allowed_failure : mark_of(result.outcome);
  shown.ending = outcome_text(result.outcome);
  if (const std::string exit = exit_text(result.outcome, result.exit_code); !exit.empty())
    shown.ending += fmt::format(" ({})", exit);
  if (result.finished > result.started)
    shown.ending += fmt::format(" in {}", to_short_text(result.finished - result.started));
  if (!finished.reason.empty()) shown.ending += ": " + printable(finished.reason, Colour::strip);
  if (result.outcome == model::Outcome::succeeded) shown.ring.clear();
}

void LiveView::annotated(const AttemptView& attempt, std::uint16_t /*step*/,
                         const wire::payload::Annotation& annotation, Time /*at*/) {
  summary_.annotated(attempt, annotation);
}

void LiveView::stored(const AttemptView& attempt, const wire::payload::Artifact& artifact, Time /*at*/) {
  summary_.stored(attempt, artifact);
}

void LiveView::noticed(const AttemptView& attempt, const wire::payload::Notice& notice, Time /*at*/) {
  summary_.noticed(attempt, notice);
}

void LiveView::journal_damaged(const AttemptView& attempt, const std::string& what) {
  print(printable(fmt::format("{}: {}", attempt.label, what), Colour::strip));
}

void LiveView::attempt_finished(const AttemptView& attempt, const model::AttemptFinished& finished) {
  summary_.attempt_finished(attempt, finished);
  Row& row = row_of(attempt.run, attempt.job);
  const auto active = active_.find({attempt.run, attempt.job});
  if (model::ending_of(finished.report.outcome) == model::Ending::failed && active != active_.end()) {
    print_failed_log(attempt.run, attempt.job, active->second);
  }
  if (active != active_.end()) {
    if (shown_ == &active->second) shown_ = nullptr;
    active_.erase(active);
  }
  if (!finished.will_retry) return;
  row.mark = Mark::pending;
  row.doing = printable(fmt::format("{}{}{}; will try again", outcome_text(finished.report.outcome),
                                    finished.report.reason.empty() ? "" : ": ", finished.report.reason),
                        Colour::strip);
}

void LiveView::print_failed_log(const RunId& run, const std::string& job, Active& active) {
  print(fmt::format("{} {}{}{}", symbol(Mark::failed, colour_), bold(colour_), active.label, reset(colour_)));
  for (const auto& [index, step] : active.steps) {
    print(fmt::format("  {} {} {}{}{}", symbol(step.mark, colour_), step.name, dim(colour_), step.ending,
                      reset(colour_)));
    if (step.mark == Mark::succeeded || step.mark == Mark::skipped) continue;
    const auto lines = step.ring.last(kFailedLines);
    if (step.ring.total() > lines.size() || step.lost > 0) {
      print(fmt::format("    {}... {} earlier lines: {} logs {} {}{}", dim(colour_), step.ring.total() - lines.size(),
                        program_, run.value, shell_quoted(job), reset(colour_)));
    }
    for (const std::string_view line : lines) {
      std::string text = "    ";
      append_printable(text, line, colour_ ? Colour::keep : Colour::strip);
      text += reset(colour_);
      print(text);
    }
  }
}

void LiveView::job_finished(const model::JobFinished& finished, const std::string& label) {
  summary_.job_finished(finished, label);
  Row& row = row_of(finished.run, finished.job);
  row.label = printable(label, Colour::strip);
  row.mark = finished.failure_allowed ? Mark::allowed_failure : mark_of(finished.outcome);
  row.doing = finished.outcome == model::Outcome::succeeded ? "" : outcome_text(finished.outcome);
  if (!finished.reason.empty()) row.doing += ": " + printable(finished.reason, Colour::strip);
  row.started = finished.started;
  row.finished = finished.finished;
}

void LiveView::triggered(const model::Triggered& triggered) { summary_.triggered(triggered); }
void LiveView::run_finished(const model::RunFinished& finished) { summary_.run_finished(finished); }
void LiveView::said(std::string_view text) { print(printable(text, Colour::strip)); }
void LiveView::told(const Remark& remark) {
  print(printable(fmt::format("{}: {}", remark.job, remark.text), Colour::strip));
}

void LiveView::pause(Time now) {
  if (drawn_at_ == Time{}) drawn_at_ = now;  // what is over within a tenth of a second is never drawn
  if (now - drawn_at_ >= kRedraw) draw(now);
}

void LiveView::erase(std::string& out, const TerminalSize& size) {
  // Lines that were drawn for a wider window have wrapped.
  std::size_t rows = 0;
  for (const std::size_t width : drawn_) rows += std::max<std::size_t>(1, (width + size.columns - 1) / size.columns);
  if (rows > 0) out += fmt::format("\r\x1b[{}A", rows);
  drawn_.clear();
}

void LiveView::draw(Time now) {
  const TerminalSize size = size_();
  std::string& out = sink_.buffer();
  // The terminal shows the frame at once where it knows how (mode 2026); others ignore it.
  out += "\x1b[?2026h";
  if (!cursor_hidden_) out += "\x1b[?25l";
  cursor_hidden_ = true;
  erase(out, size);
  out += permanent_;
  permanent_.clear();
  for (const std::string& line : frame(now, size)) {
    drawn_.push_back(display_width(line));
    out += line;
    out += "\x1b[K\n";
  }
  out += "\x1b[J\x1b[?2026l";
  sink_.flush();
  drawn_at_ = now;
}

std::vector<std::string> LiveView::frame(Time now, const TerminalSize& size) const {
  const std::size_t columns = std::max<std::size_t>(size.columns, 20) - 1;
  const std::size_t height = std::max<std::size_t>(size.rows, 6) - 1;
  const std::size_t tail = std::min(kTailLines, height / 3);
  std::vector<std::string> lines;
  lines.push_back(fmt::format("{}{}{}  {}", bold(colour_), title_, reset(colour_), to_short_text(now - begun_)));
  const std::vector<std::size_t> shown = rows_to_show(height - 2 - (tail + 1));
  std::size_t label_width = 0;
  for (const std::size_t row : shown) label_width = std::max(label_width, display_width(rows_[row].label));
  label_width = std::min(label_width, kWidestLabel);
  for (const std::size_t row : shown) lines.push_back(row_text(rows_[row], label_width, now));
  if (shown.size() < rows_.size()) lines.push_back("  " + counts_text());
  append_tail(lines, tail);
  for (std::string& line : lines) line = fit(line, columns);
  return lines;
}

// All in their order if they fit; else those that run, then what went wrong, then what is still to come.
std::vector<std::size_t> LiveView::rows_to_show(std::size_t most) const {
  std::vector<std::size_t> shown;
  if (rows_.size() <= most) {
    for (std::size_t i = 0; i < rows_.size(); ++i) shown.push_back(i);
    return shown;
  }
  const auto take = [&](auto&& wanted) {
    for (std::size_t i = 0; i < rows_.size() && shown.size() < most; ++i) {
      if (wanted(rows_[i].mark)) shown.push_back(i);
    }
  };
  take([](Mark mark) { return mark == Mark::running; });
  take(went_wrong);
  take([](Mark mark) { return mark == Mark::pending || mark == Mark::blocked; });
  take([](Mark mark) { return has_ended(mark) && !went_wrong(mark); });
  std::ranges::sort(shown);
  return shown;
}

std::string LiveView::row_text(const Row& row, std::size_t label_width, Time now) const {
  std::string label = fit(row.label, label_width);
  label.append(label_width - std::min(label_width, display_width(label)), ' ');
  std::string text = fmt::format("{} {}", symbol(row.mark, colour_), label);
  if (row.started != Time{} && !(has_ended(row.mark) && row.finished <= row.started)) {
    const Time until = has_ended(row.mark) ? row.finished : now;
    text += fmt::format("  {:>7}", to_short_text(std::max(until - row.started, Duration(0))));
  } else if (!row.doing.empty()) {
    text += fmt::format("  {:>7}", "");
  }
  if (!row.doing.empty()) text += fmt::format("  {}{}{}", dim(colour_), row.doing, reset(colour_));
  return text;
}

std::string LiveView::counts_text() const {
  std::map<Mark, std::size_t> counts;
  for (const Row& row : rows_) ++counts[row.mark];
  std::vector<std::string> parts;
  for (const auto& [mark, count] : counts) parts.push_back(fmt::format("{} {}", symbol(mark, colour_), count));
  return fmt::format("{} jobs: {}", rows_.size(), join(parts, "  "));
}

void LiveView::append_tail(std::vector<std::string>& lines, std::size_t most) const {
  if (shown_ == nullptr || most == 0) return;
  const auto step = shown_->steps.find(shown_->last_step);
  if (step == shown_->steps.end()) return;
  lines.push_back(fmt::format("{}-- {} > {}{}", dim(colour_), shown_->label, step->second.name, reset(colour_)));
  for (const std::string_view line : step->second.ring.last(most)) {
    std::string text = "  ";
    append_printable(text, line, colour_ ? Colour::keep : Colour::strip);
    lines.push_back(text + std::string(reset(colour_)));
  }
}

void LiveView::end() {
  std::string& out = sink_.buffer();
  erase(out, size_());
  out += permanent_;
  permanent_.clear();
  if (rows_.size() <= kFinalRows) {
    std::size_t label_width = 0;
    for (const Row& row : rows_) label_width = std::max(label_width, display_width(row.label));
    for (const Row& row : rows_) out += row_text(row, std::min(label_width, kWidestLabel), row.finished) + "\x1b[K\n";
  } else {
    out += counts_text() + "\x1b[K\n";
  }
  out += "\x1b[J";
  if (cursor_hidden_) out += "\x1b[?25h";
  cursor_hidden_ = false;
  out += summary_.text(Summary::Detail::all);
  sink_.flush();
}

}  // namespace slipway::cli
