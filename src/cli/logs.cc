#include "cli/logs.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <deque>
#include <set>

#include "base/text.h"
#include "cli/attempt_notes.h"
#include "cli/configuration.h"
#include "cli/entry_state.h"
#include "cli/json_writer.h"
#include "cli/line_filter.h"
#include "cli/log_line.h"
#include "cli/terminal_text.h"
#include "journal/lines.h"
#include "journal/seal.h"
#include "os/files.h"
#include "os/wait.h"
#include "wire/journal_json.h"

namespace slipway::cli {

namespace {

constexpr std::chrono::milliseconds kPoll{200};  // when nothing tells of new attempts
constexpr std::size_t kAtOnce = 50'000;          // lines of one attempt before others have their turn
constexpr std::uint64_t kMostTail = 100'000;
constexpr std::size_t kMostGroups = 1'000;  // that an error names the nearest of

bool is_of_job(const std::string& name, const std::string& wanted) {
  return wanted.empty() || name == wanted || name.starts_with(wanted + " (");
}

// Names of an attempt's steps by number. Of one that has ended the store knows all; else its journal tells them, those
// of child steps as they begin. It is read once: each look goes on from where the last one stopped.
class StepNames {
 public:
  StepNames() = default;
  explicit StepNames(const AttemptEntry& attempt) : names_(attempt.step_names) {
    if (names_.empty()) journal_ = attempt.journal;
  }

  /// False: the journal's first record is not written yet.
  bool are_known() {
    read_until([this] { return !names_.empty(); });
    return !names_.empty();
  }
  std::string_view of(std::uint16_t step) {
    read_until([this, step] { return step < names_.size(); });
    if (step >= names_.size()) names_.resize(step + std::size_t{1});  // not to be looked for again
    return names_[step];
  }
  std::optional<std::uint16_t> find(std::string_view name) {
    std::size_t looked = 0;
    const auto is_found = [&] {
      while (looked < names_.size() && names_[looked] != name) ++looked;
      return looked < names_.size();
    };
    read_until(is_found);
    return is_found() ? std::optional(static_cast<std::uint16_t>(looked)) : std::nullopt;
  }
  /// As far as they were looked for.
  const std::vector<std::string>& seen() const { return names_; }

 private:
  template <class Enough>
  void read_until(const Enough& is_enough) {
    if (journal_.empty() || is_enough()) return;
    if (!reader_) {
      auto reader = journal::open_reader(journal_);
      if (!reader) return;
      reader_.emplace(*std::move(reader));
    }
    do {
      const auto next = reader_->next();
      if (!next || next->what == journal::Next::What::end || next->what == journal::Next::What::torn) return;
      if (next->what == journal::Next::What::record) take(next->record);
    } while (!is_enough());
  }

  void take(const journal::Record& record) {
    if (record.type == journal::RecordType::attempt_started) {
      auto started = wire::payload::decode<wire::payload::AttemptStarted>(record.payload);
      if (started) names_ = std::move(started->steps);
    } else if (record.type == journal::RecordType::step_started && record.step != journal::kNoStep) {
      auto begun = wire::payload::decode<wire::payload::StepStarted>(record.payload);
      if (!begun || !begun->parent) return;
      if (record.step >= names_.size()) names_.resize(record.step + std::size_t{1});
      names_[record.step] = std::move(begun->name);
    }
  }

  std::vector<std::string> names_;
  std::filesystem::path journal_;  // empty: there is nothing to look for
  std::optional<journal::Reader> reader_;
};

Result<void> check_names(const LogsOptions& options, const RunEntry& run) {
  std::vector<std::string> jobs, steps;
  bool has_job = false, has_step = options.step.empty(), has_attempt = !options.attempt;
  for (const JobEntry& job : run.jobs) {
    jobs.push_back(job.name);
    if (!is_of_job(job.name, options.job)) continue;
    has_job = true;
    for (const AttemptEntry& attempt : job.attempts) {
      has_attempt = has_attempt || attempt.number == *options.attempt;
      if (has_step) continue;
      StepNames names(attempt);
      has_step = names.find(options.step).has_value();
      steps.insert(steps.end(), names.seen().begin(), names.seen().end());
    }
  }
  if (!has_job && !options.job.empty()) {
    const auto near = nearest(options.job, jobs);
    return fail(ErrorKind::not_found, fmt::format("run {} has no job `{}`{}", run.id.value, options.job,
                                                  near ? fmt::format(", did you mean `{}`?", *near) : ""));
  }
  if (!has_step && !options.follow) {
    const auto near = nearest(options.step, steps);
    return fail(ErrorKind::not_found, fmt::format("there is no step `{}`{}", options.step,
                                                  near ? fmt::format(", did you mean `{}`?", *near) : ""));
  }
  if (!has_attempt && !options.follow) {
    return fail(ErrorKind::not_found, fmt::format("there is no attempt {}", *options.attempt));
  }
  return {};
}

// The attempts of a job that are to be shown: all when following, since a later one may come; else the last, or the one
// asked for.
std::vector<const AttemptEntry*> attempts_of(const JobEntry& job, const LogsOptions& options) {
  std::vector<const AttemptEntry*> shown;
  for (const AttemptEntry& attempt : job.attempts) {
    if (options.attempt && attempt.number != *options.attempt) continue;
    if (!options.attempt && !options.follow) shown.clear();
    shown.push_back(&attempt);
  }
  return shown;
}

AttemptEntry shown_log(const AttemptEntry& attempt, const LogsOptions& options) {
  if (options.service.empty()) return attempt;
  AttemptEntry service = attempt;
  service.journal = service_journal(attempt.journal, options.service);
  service.step_names.clear();
  service.steps.clear();
  return service;
}

std::string shown_name(const JobEntry& job, const LogsOptions& options) {
  return options.service.empty() ? job.name : job.name + " / " + options.service;
}

Result<void> check_service(const LogsOptions& options, const RunEntry& run) {
  if (options.service.empty()) return {};
  std::vector<std::string> known;
  for (const JobEntry& job : run.jobs) {
    if (!is_of_job(job.name, options.job)) continue;
    for (const AttemptEntry& attempt : job.attempts) {
      for (std::string& name : services_of(attempt.journal)) known.push_back(std::move(name));
    }
  }
  if (options.follow || std::ranges::find(known, options.service) != known.end()) return {};
  const auto near = nearest(options.service, known);
  return fail(ErrorKind::not_found, fmt::format("there is no service `{}`{}", options.service,
                                                near ? fmt::format(", did you mean `{}`?", *near) : ""));
}

// Prints the lines of attempts, as far as they are there.
class Printer {
 public:
  Printer(const LogsOptions& options, LineFilter filter, Sink& sink, const LogsStyle& style, std::string run)
      : options_(options), filter_(std::move(filter)), sink_(sink), style_(style), run_(std::move(run)) {
    named_ = options.service.empty() || options.job.empty() ? options.job : options.job + " / " + options.service;
  }

  struct Open {
    std::string job;
    AttemptEntry attempt;
    StepNames names;
    std::optional<journal::LineReader> reader;
    std::map<std::uint16_t, wire::Folds> folds;
    std::uint64_t lines = 0;  // of the whole job so far
    bool done = false;
    std::deque<std::string> tail;
  };

  /// True: there may be more at once. Errors only of a journal that cannot be read at all.
  Result<bool> print_some(Open& open) {
    if (open.done) return false;
    if (!open.reader) {
      SW_TRY(const bool is_open, open_reader(open));
      if (!is_open) return false;
    }
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      SW_TRY(const auto next, open.reader->next());
      switch (next.what) {
        case journal::LineReader::Next::What::line: print(open, next.line); break;
        case journal::LineReader::Next::What::group: begin_or_end_group(open, next.line); break;
        case journal::LineReader::Next::What::damaged:
          remark(open.job, fmt::format("{} bytes of the journal are damaged", next.lost));
          break;
        case journal::LineReader::Next::What::end: return false;
      }
    }
    return true;
  }

  /// The attempt has ended and all of it was read.
  void finish(Open& open) {
    if (open.done) return;
    open.done = true;
    if (open.reader) {
      while (const auto line = open.reader->take_open_line()) print(open, *line);
    }
    for (const std::string& text : open.tail) emit(text);
    open.tail.clear();
    open.reader.reset();
    folds_of_ = nullptr;  // it goes with `open`
  }

  /// What stands for lines that are not there.
  void remark(std::string_view job, const std::string& text) {
    if (style_.json || !options_.grep.empty() || options_.tail) return;
    emit(fmt::format("{}... {}: {}{}\n", dim(style_.colour), printable(job, Colour::strip),
                     printable(text, Colour::strip), reset(style_.colour)));
  }

  /// `not_found` with the nearest, if the group that was asked for was nowhere.
  Result<void> check_group() const {
    if (options_.group.empty() || groups_seen_.contains(options_.group)) return {};
    const auto near = nearest(options_.group, {groups_seen_.begin(), groups_seen_.end()});
    return fail(ErrorKind::not_found, fmt::format("there is no group `{}`{}", options_.group,
                                                  near ? fmt::format(", did you mean `{}`?", *near) : ""));
  }

 private:
  Result<bool> open_reader(Open& open) {
    auto source = journal::open_source(open.attempt.journal);
    if (!source && source.error().kind == ErrorKind::not_found) return false;  // not begun, or removed
    if (!source) return std::unexpected(std::move(source).error());
    if (!open.names.are_known() && !open.attempt.outcome) return false;  // its first record is on its way
    journal::LineStart start;
    if (!options_.step.empty()) {
      start.step = open.names.find(options_.step);
      if (!start.step) return false;
      start.first_number = std::max<std::uint64_t>(1, options_.since_line);
    }
    auto reader = journal::LineReader::open(std::move(*source), start);
    if (!reader && reader.error().kind == ErrorKind::unavailable) return false;
    if (!reader) return std::unexpected(std::move(reader).error());
    open.reader.emplace(std::move(*reader));
    return true;
  }

  bool is_wanted(const Open& open, const journal::Line& line) const {
    if ((options_.step.empty() ? open.lines : line.number) < options_.since_line) return false;
    if (options_.failed_only) {
      if (line.step >= open.attempt.steps.size()) return false;
      if (model::ending_of(open.attempt.steps[line.step].outcome) != model::Ending::failed) return false;
    }
    return filter_.matches(line.text);
  }

  void print(Open& open, const journal::Line& line) {
    if (line.lost_bytes > 0)
      return remark(open.job, fmt::format("{} of output were cut here by the log cap", size_text(line.lost_bytes)));
    ++open.lines;
    if (folds_of_ == nullptr || folds_job_ != &open || folds_step_ != line.step) {
      folds_of_ = &open.folds[line.step];  // most lines are of the step of the line before
      folds_job_ = &open;
      folds_step_ = line.step;
    }
    if (!line.from_source) folds_of_->end_siblings();
    std::optional<wire::LogMark> mark;
    const bool was_inside = is_inside();
    if (wire::may_be_mark(line.text)) {
      mark = folds_of_->see(line.text, line.from_source);
      note_groups();
    }
    // What ends a group is part of it.
    if (!options_.group.empty() && !was_inside && !is_inside()) return;
    if (!is_wanted(open, line)) return;
    std::optional<std::string> shown;
    if (mark && mark->kind != wire::LogMark::Kind::none && !options_.raw && !style_.json) {
      shown = mark_text(*mark, line.text, style_.colour);
      if (!shown) return;
    }
    show(open, line, shown ? std::string_view(*shown) : line.text);
  }

  bool is_inside() const {
    return !options_.group.empty() && folds_of_ != nullptr &&
           std::ranges::find(folds_of_->open(), options_.group) != folds_of_->open().end();
  }

  void note_groups() {
    if (options_.group.empty() || groups_seen_.size() >= kMostGroups) return;
    if (!folds_of_->open().empty()) groups_seen_.insert(folds_of_->open().back());
  }

  void begin_or_end_group(Open& open, const journal::Line& record) {
    wire::Folds& folds = open.folds[record.step];
    const auto header = take_group(record.text, folds, style_.colour);
    folds_of_ = &folds;
    folds_job_ = &open;
    folds_step_ = record.step;
    note_groups();
    if (!header || style_.json || !options_.grep.empty() || (!options_.group.empty() && !is_inside())) return;
    if (options_.failed_only || options_.since_line > 0) return;  // what these choose are lines
    show(open, record, *header);
  }

  void show(Open& open, const journal::Line& line, std::string_view text) {
    const std::string_view step = line.step == journal::kNoStep ? std::string_view() : open.names.of(line.step);
    if (options_.tail) {
      std::string kept;
      append_line(kept, open, step, line, text);
      open.tail.push_back(std::move(kept));
      if (open.tail.size() > *options_.tail) open.tail.pop_front();
      return;
    }
    append_line(sink_.buffer(), open, step, line, text);
    sink_.written();
  }

  void emit(const std::string& text) {
    sink_.buffer() += text;
    sink_.written();
  }

  void append_line(std::string& out, const Open& open, std::string_view step, const journal::Line& line,
                   std::string_view printed) const {
    if (style_.json) return append_json(out, open, step, line);
    out += dim(style_.colour);
    if (options_.timestamps) out += to_rfc3339(line.time) + " ";
    if (open.job != named_) {
      append_printable(out, open.job, Colour::strip);
      out += " | ";
    }
    if (options_.step.empty() && options_.service.empty()) {
      append_printable(out, step, Colour::strip);
      out += " | ";
    }
    out += reset(style_.colour);
    std::string drawn;
    const std::string_view text = visible_line(printed, drawn);
    append_printable(out, text, style_.colour ? Colour::keep : Colour::strip);
    if (style_.colour && text.find('\x1b') != std::string_view::npos) out += reset(true);
    out += '\n';
  }

  void append_json(std::string& out, const Open& open, std::string_view step, const journal::Line& line) const {
    JsonWriter json(out);
    json.begin_object()
        .field("type", "output")
        .field("run", run_)
        .field("job", open.job)
        .field("attempt", open.attempt.number);
    json.field("step", step)
        .field("stream", line.stream == journal::Stream::out ? "stdout" : "stderr")
        .field("line", line.number);
    json.field("at", line.time);
    if (line.from_source) json.field("origin", "source");
    if (folds_of_ != nullptr && !folds_of_->path().empty()) json.field("group", folds_of_->path());
    json.field("text", line.text).end_object();
    out += '\n';
  }

  const LogsOptions& options_;
  LineFilter filter_;
  wire::Folds* folds_of_ = nullptr;  // of the line that is looked at
  const Open* folds_job_ = nullptr;
  std::uint16_t folds_step_ = journal::kNoStep;
  std::set<std::string> groups_seen_;
  Sink& sink_;
  const LogsStyle& style_;
  std::string run_;
  std::string named_;  // what was asked for by its whole name need not be said with every line
};

// Watches the journals that grow; new attempts are found by asking the history.
class Waiter {
 public:
  Waiter() : watch_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

  void add(const std::filesystem::path& journal) {
    if (watch_) (void)::inotify_add_watch(watch_.get(), journal.c_str(), IN_MODIFY);  // without it we poll
  }
  /// False: the stop fired.
  bool wait(const os::CallLimit& limit) {
    os::CallLimit slice = os::within(kPoll, limit.stop);
    slice.deadline = std::min(slice.deadline, limit.deadline);
    if (!watch_) watch_ = os::Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    const auto ready = os::wait_readable(watch_.get(), slice);
    std::array<char, 4096> events;
    while (watch_ && ::read(watch_.get(), events.data(), events.size()) > 0) {
    }
    return ready || ready.error().kind == ErrorKind::timeout ? os::Clock::now() < limit.deadline : false;
  }

 private:
  os::Fd watch_;
};

Result<void> show_ended(const LogsOptions& options, const RunEntry& run, Printer& printer) {
  for (const JobEntry& job : run.jobs) {
    if (!is_of_job(job.name, options.job)) continue;
    if (job.attempts.empty() && !options.job.empty()) {
      const std::string why = job.reason.empty() ? "" : ": " + job.reason;
      printer.remark(job.name, fmt::format("there is no log: {}{}", state_text(job), why));
    }
    for (const AttemptEntry* attempt : attempts_of(job, options)) {
      Printer::Open open{.job = shown_name(job, options),
                         .attempt = shown_log(*attempt, options),
                         .names = StepNames(shown_log(*attempt, options)),
                         .reader = {},
                         .lines = 0,
                         .done = false,
                         .tail = {}};
      for (bool more = true; more;) {
        SW_TRY(more, printer.print_some(open));
      }
      printer.finish(open);
    }
  }
  return {};
}

Result<void> follow(const LogsOptions& options, RunEntry run, RunHistory& history, Printer& printer, Sink& sink,
                    const os::CallLimit& limit) {
  std::map<AttemptId, Printer::Open> open;
  Waiter waiter;
  for (;;) {
    // What the history says was true before the journals are read: an attempt that has ended is read to its end.
    for (const JobEntry& job : run.jobs) {
      if (!is_of_job(job.name, options.job)) continue;
      for (const AttemptEntry* attempt : attempts_of(job, options)) {
        const auto [found, is_new] = open.try_emplace(attempt->id);
        found->second.job = shown_name(job, options);
        found->second.attempt = shown_log(*attempt, options);
        if (!is_new) continue;
        found->second.names = StepNames(found->second.attempt);
        waiter.add(found->second.attempt.journal);
      }
    }
    bool more = false;
    for (auto& [id, attempt] : open) {
      SW_TRY(const bool rest, printer.print_some(attempt));
      more = more || rest;
      if (!rest && attempt.attempt.outcome) printer.finish(attempt);
    }
    if (more) continue;
    sink.flush();
    SW_CHECK(sink.status());
    if (run.outcome || !run.is_alive) break;
    if (!waiter.wait(limit)) break;
    SW_TRY(run, history.find(run.id.value));
  }
  for (auto& [id, attempt] : open) printer.finish(attempt);
  return {};
}

}  // namespace

Result<void> show_logs(const LogsOptions& options, RunHistory& history, Sink& sink, const LogsStyle& style,
                       const os::CallLimit& limit) {
  if (options.tail && *options.tail > kMostTail)
    return fail(ErrorKind::invalid, fmt::format("--tail: at most {}", kMostTail));
  SW_TRY(LineFilter filter,
         LineFilter::make(options.grep, options.ignore_case ? LineFilter::Case::ignore : LineFilter::Case::exact));
  SW_TRY(RunEntry run, history.find(options.run));
  SW_CHECK(check_names(options, run));
  SW_CHECK(check_service(options, run));
  Printer printer(options, std::move(filter), sink, style, run.id.value);
  if (options.follow) {
    SW_CHECK(follow(options, std::move(run), history, printer, sink, limit));
  } else {
    SW_CHECK(show_ended(options, run, printer));
    sink.flush();
    SW_CHECK(printer.check_group());
  }
  sink.flush();
  return sink.status();
}

}  // namespace slipway::cli
