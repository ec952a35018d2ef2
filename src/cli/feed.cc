#include "cli/feed.h"

#include <limits>

#include "base/scope_exit.h"
#include "journal/seal.h"

namespace slipway::cli {

namespace {

constexpr std::uint64_t kPiece = 4U << 20U;  // of one journal before others have their turn
constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();

}  // namespace

Feed::Feed(Audience& audience, std::filesystem::path journal_root, Names names)
    : audience_(audience), journal_root_(std::move(journal_root)), names_(names) {}
Feed::~Feed() = default;

std::string Feed::label_of(const RunId& run, const std::string& job) const {
  if (names_ == Names::of_jobs) return job;
  const auto found = runs_.find(run);
  return found == runs_.end() || found->second.empty() ? job : fmt::format("{}/{}", found->second, job);
}

void Feed::take(const model::Notice& notice) {
  std::visit(Overloaded{
                 [&](const model::RunStarted& started) {
                   runs_.emplace(started.run, started.workflow);
                   audience_.run_started(started);
                 },
                 [&](const model::JobsAdded& added) { audience_.jobs_added(added); },
                 [&](const model::AttemptStarted& started) { start(started); },
                 [&](const model::AttemptProgress& progress) {
                   const auto found = attempts_.find(progress.attempt);
                   if (found == attempts_.end()) return;
                   found->second->grown_to = std::max(found->second->grown_to, progress.journal_bytes);
                 },
                 [&](const model::AttemptFinished& finished) { finish(finished); },
                 [&](const model::JobFinished& finished) {
                   audience_.job_finished(finished, label_of(finished.run, finished.job));
                 },
                 [&](const model::Triggered& triggered) { audience_.triggered(triggered); },
                 [&](const model::RunFinished& finished) {
                   audience_.run_finished(finished);
                   runs_.erase(finished.run);
                 },
             },
             notice);
}

void Feed::catch_up(const RunId& run, std::string_view job, int attempt) {
  for (const auto& [id, watched] : attempts_) {
    if (watched->view.run != run || watched->view.job != job || watched->view.number != attempt) continue;
    const std::uint64_t told = std::exchange(watched->grown_to, kAll);
    while (read_piece(*watched, kPiece)) {
    }
    watched->grown_to = told;
  }
}

bool Feed::read_some() {
  bool more = false;
  for (const auto& [id, attempt] : attempts_) more = read_piece(*attempt, kPiece) || more;
  return more;
}

void Feed::start(const model::AttemptStarted& notice) {
  auto attempt = std::make_unique<Watched>();
  attempt->view = {.run = notice.run,
                   .job = notice.job,
                   .label = label_of(notice.run, notice.job),
                   .attempt = notice.attempt,
                   .number = notice.number,
                   .steps = notice.steps,
                   .job_steps = notice.steps.size(),
                   .journal_path = (journal_root_ / notice.journal_path).string()};
  audience_.attempt_started(attempt->view, notice.at);
  attempts_.insert_or_assign(notice.attempt, std::move(attempt));
}

void Feed::finish(const model::AttemptFinished& notice) {
  const auto found = attempts_.find(notice.report.attempt);
  if (found == attempts_.end()) {
    // It never began: no sandbox, no journal.
    const AttemptView view{.run = notice.run,
                           .job = notice.job,
                           .label = label_of(notice.run, notice.job),
                           .attempt = notice.report.attempt,
                           .number = 1,
                           .steps = {},
                           .job_steps = 0,
                           .journal_path = {}};
    audience_.attempt_finished(view, notice);
    return;
  }
  Watched& attempt = *found->second;
  attempt.grown_to = kAll;
  while (read_piece(attempt, kPiece)) audience_.pause(notice.report.finished);
  for (auto& [step, lines] : attempt.steps) finish_lines(attempt, step, lines.last);
  audience_.attempt_finished(attempt.view, notice);
  attempts_.erase(found);
}

bool Feed::open(Watched& attempt) {
  if (attempt.reader) return true;
  const auto complain_of = [&](const Error& error) {
    // An attempt that ended before its first step has an empty journal, or none: its report says why.
    const bool not_yet = error.kind == ErrorKind::unavailable || error.kind == ErrorKind::not_found;
    if (!not_yet) complain(attempt, error.what);
    return false;
  };
  auto source = journal::open_source(attempt.view.journal_path);
  if (!source) return complain_of(source.error());
  auto reader = journal::Reader::open(std::move(*source));
  if (!reader) return complain_of(reader.error());
  attempt.reader.emplace(std::move(*reader));
  return true;
}

// True: the journal has more.
bool Feed::read_piece(Watched& attempt, std::uint64_t most) {
  if (attempt.reader && attempt.reader->position() >= attempt.grown_to) return false;
  if (attempt.grown_to == 0 || attempt.said_broken || !open(attempt)) return false;
  journal::Reader& reader = *attempt.reader;
  const std::uint64_t from = reader.position();
  while (reader.position() < attempt.grown_to && reader.position() - from < most) {
    const auto next = reader.next();
    if (!next) {
      complain(attempt, next.error().what);
      return false;
    }
    switch (next->what) {
      case journal::Next::What::record: accept(attempt, next->record); break;
      case journal::Next::What::damaged:
        audience_.journal_damaged(attempt.view, fmt::format("{} bytes of the journal are damaged", next->lost));
        break;
      case journal::Next::What::end:
      case journal::Next::What::torn: return false;
    }
  }
  return reader.position() < attempt.grown_to;
}

void Feed::complain(Watched& attempt, const std::string& what) {
  if (attempt.said_broken) return;
  attempt.said_broken = true;
  audience_.journal_damaged(attempt.view, what);
}

void Feed::accept(Watched& attempt, const journal::Record& record) {
  namespace payload = wire::payload;
  // A payload that does not decode was written by another version: its record is passed over.
  const auto with = [&]<class T>(std::type_identity<T>, auto&& use) {
    if (const auto decoded = payload::decode<T>(record.payload)) use(*decoded);
  };
  switch (record.type) {
    case journal::RecordType::output_stdout:
    case journal::RecordType::output_stderr: return accept_output(attempt, record);
    case journal::RecordType::step_started:
      return with(std::type_identity<payload::StepStarted>(), [&](const payload::StepStarted& started) {
        if (record.step != journal::kNoStep && record.step >= attempt.view.steps.size() && record.step < 4096) {
          attempt.view.steps.resize(record.step + std::size_t{1});
        }
        if (record.step < attempt.view.steps.size() && attempt.view.steps[record.step].empty()) {
          attempt.view.steps[record.step] = started.name;
        }
        audience_.step_started(attempt.view, record.step, started, record.time);
      });
    case journal::RecordType::step_finished:
      finish_lines(attempt, record.step, record.time);
      return with(std::type_identity<payload::StepFinished>(), [&](const payload::StepFinished& finished) {
        audience_.step_finished(attempt.view, record.step, finished, record.time);
      });
    case journal::RecordType::annotation:
      return with(std::type_identity<payload::Annotation>(), [&](const payload::Annotation& annotation) {
        audience_.annotated(attempt.view, record.step, annotation, record.time);
      });
    case journal::RecordType::group:
      return with(std::type_identity<payload::Group>(), [&](const payload::Group& group) {
        wire::Folds& folds = attempt.steps[record.step].folds;
        if (group.start)
          folds.open(group.name);
        else
          folds.close();
        audience_.grouped(attempt.view, record.step, group, record.time);
      });
    case journal::RecordType::artifact:
      return with(std::type_identity<payload::Artifact>(),
                  [&](const payload::Artifact& artifact) { audience_.stored(attempt.view, artifact, record.time); });
    case journal::RecordType::notice:
      return with(std::type_identity<payload::Notice>(),
                  [&](const payload::Notice& notice) { audience_.noticed(attempt.view, notice, record.time); });
    case journal::RecordType::truncation:
      if (const auto truncation = journal::parse_truncation(record.payload))
        attempt.steps[record.step].lost = truncation->lost;
      return;
    case journal::RecordType::attempt_started:  // names plugins too, which the engine does not know
      return with(std::type_identity<payload::AttemptStarted>(), [&](const payload::AttemptStarted& started) {
        std::vector<std::string>& steps = attempt.view.steps;
        for (std::size_t i = steps.size(); i < started.steps.size(); ++i) steps.push_back(started.steps[i]);
      });
    case journal::RecordType::trigger:  // the engine tells what became of it
    case journal::RecordType::output_variable:
    case journal::RecordType::secret_registered:
    case journal::RecordType::resource_sample:
    case journal::RecordType::tests:  // the engine counts them
    case journal::RecordType::checkpoint:
    case journal::RecordType::attempt_finished: return;
  }
}

void Feed::show(Watched& attempt, StepLines& lines, OutputLine line) {
  line.number = ++lines.lines;
  std::optional<wire::LogMark> mark;  // made only where it is needed: most lines are none
  if (!line.from_source) lines.folds.end_siblings();
  if (wire::may_be_mark(line.text)) {
    mark = lines.folds.see(line.text, line.from_source);
    if (mark->kind != wire::LogMark::Kind::none) line.mark = &*mark;
  }
  line.group = lines.folds.path();
  audience_.output(attempt.view, line);
}

void Feed::accept_output(Watched& attempt, const journal::Record& record) {
  const auto stream = record.type == journal::RecordType::output_stdout ? journal::Stream::out : journal::Stream::err;
  StepLines& lines = attempt.steps[record.step];
  lines.last = record.time;
  OutputLine line{.step = record.step,
                  .stream = stream,
                  .number = 0,
                  .time = record.time,
                  .from_source = (record.flags & journal::kFromSource) != 0,
                  .text = {},
                  .group = {}};
  lines.splitters[static_cast<std::size_t>(stream)].add(record.payload, [&](std::string_view text) {
    line.text = text;
    show(attempt, lines, line);
  });
}

void Feed::finish_lines(Watched& attempt, std::uint16_t step, Time at) {
  const auto found = attempt.steps.find(step);
  if (found == attempt.steps.end()) return;
  StepLines& lines = found->second;
  for (const auto stream : {journal::Stream::out, journal::Stream::err}) {
    lines.splitters[static_cast<std::size_t>(stream)].finish([&](std::string_view text) {
      OutputLine line;
      line.step = step;
      line.stream = stream;
      line.time = lines.last;
      line.text = text;
      show(attempt, lines, line);
    });
  }
  if (lines.lost > 0) audience_.output_lost(attempt.view, step, lines.lost, at);
  lines.lost = 0;
}

}  // namespace slipway::cli
