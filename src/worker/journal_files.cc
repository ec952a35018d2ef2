#include "worker/journal_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/wall_clock.h"
#include "journal/reader.h"
#include "journal/recovery.h"
#include "journal/seal.h"
#include "os/file_lock.h"
#include "os/files.h"
#include "wire/journal_json.h"

namespace slipway::worker {

namespace {

// Below this a sealed journal saves nothing worth the extra file operations; every reader takes both kinds.
constexpr std::uint64_t kSealFrom = 256U << 10U;
constexpr auto kSealLimit = std::chrono::minutes(10);
constexpr auto kWriterLimit = std::chrono::seconds(5);  // an init without an owner ends within one

std::filesystem::path tail_path(const std::filesystem::path& runs_dir, const model::JobSpec& job) {
  return runs_dir / job.run.value / (job.attempt.value + ".tail");
}

// Their records stand anywhere in the journal, so only one that has some is read from its beginning.
Result<std::vector<model::TriggerRequest>> read_triggers(journal::Reader& reader, std::uint64_t count) {
  std::vector<model::TriggerRequest> triggers;
  reader.seek(0);
  while (triggers.size() < count) {
    SW_TRY(const journal::Next next, reader.next());
    if (next.what == journal::Next::What::end || next.what == journal::Next::What::torn) break;
    if (next.what != journal::Next::What::record || next.record.type != journal::RecordType::trigger) continue;
    SW_TRY(wire::payload::Trigger trigger, wire::payload::decode<wire::payload::Trigger>(next.record.payload));
    triggers.push_back({std::move(trigger.json)});
  }
  return triggers;
}

Result<std::vector<model::TestResult>> read_tests(journal::Reader& reader, std::uint64_t count) {
  std::vector<model::TestResult> results;
  reader.seek(0);
  for (std::uint64_t taken = 0; taken < count;) {
    SW_TRY(const journal::Next next, reader.next());
    if (next.what == journal::Next::What::end || next.what == journal::Next::What::torn) break;
    if (next.what != journal::Next::What::record || next.record.type != journal::RecordType::tests) continue;
    SW_TRY(wire::payload::Tests tests, wire::payload::decode<wire::payload::Tests>(next.record.payload));
    std::ranges::move(tests.results, std::back_inserter(results));
    ++taken;
  }
  return results;
}

}  // namespace

std::filesystem::path journal_path(const std::filesystem::path& runs_dir, const model::JobSpec& job) {
  return runs_dir / job.run.value / (job.attempt.value + ".journal");
}

Result<JournalFiles> create_journal_files(const std::filesystem::path& runs_dir, const model::JobSpec& job) {
  SW_CHECK(os::make_directories(runs_dir / job.run.value, 0700));
  JournalFiles files;
  files.journal = journal_path(runs_dir, job);
  SW_TRY(files.journal_fd, os::open_file(files.journal, O_RDWR | O_CREAT | O_EXCL, 0600));
  SW_TRY(files.tail_fd, os::open_file(tail_path(runs_dir, job), O_RDWR | O_CREAT | O_EXCL, 0600));
  // Held by the open file, so by whoever has the descriptor: also by an init whose owner is dead.
  if (::flock(files.journal_fd.get(), LOCK_EX | LOCK_NB) != 0) return fail_errno(errno, "locking a new journal");
  return files;
}

Result<model::AttemptReport> report_from_journal(const std::filesystem::path& journal, const model::JobSpec& job) {
  SW_TRY(journal::Reader reader, journal::open_reader(journal));
  SW_TRY(const std::uint64_t size, reader.size());
  // The end stands behind the last checkpoint: what is before it need not be read.
  SW_TRY(const auto checkpoint, reader.find_checkpoint({.before = size}));
  if (checkpoint) reader.seek(checkpoint->self);
  for (;;) {
    SW_TRY(const journal::Next next, reader.next());
    if (next.what == journal::Next::What::end || next.what == journal::Next::What::torn) break;
    if (next.what != journal::Next::What::record) continue;
    if (next.record.type != journal::RecordType::attempt_finished) continue;
    SW_TRY(wire::payload::AttemptFinished last,
           wire::payload::decode<wire::payload::AttemptFinished>(next.record.payload));
    last.report.attempt = job.attempt;
    last.report.journal_bytes = size;
    SW_TRY(last.report.triggers, read_triggers(reader, last.triggers));
    SW_TRY(last.report.tests, read_tests(reader, last.tests));
    return std::move(last.report);
  }
  return fail(ErrorKind::not_found, "the journal has no end");
}

void close_journal(const std::filesystem::path& runs_dir, const model::JobSpec& job, const model::AttemptReport& report,
                   JournalEnd end, Log& log) {
  const std::filesystem::path path = journal_path(runs_dir, job);
  const auto closed = [&]() -> Result<void> {
    if (end == JournalEnd::unknown && !report_from_journal(path, job)) {
      // Its writer may be dying still.
      SW_TRY(const auto alone, os::FileLock::acquire(path, os::LockMode::exclusive, os::within(kWriterLimit)));
      SW_TRY(os::Fd journal, os::open_file(path, O_RDWR | O_CREAT, 0600));
      SW_TRY(os::Fd ring, os::open_file(tail_path(runs_dir, job), O_RDWR | O_CREAT, 0600));
      SW_CHECK(journal::finish_after_loss(std::move(journal), std::move(ring), report.finished,
                                          wire::payload::encode(wire::payload::AttemptFinished{report})));
    }
    ::unlink(tail_path(runs_dir, job).c_str());  // gone already after an earlier close
    std::error_code unknown;
    const auto bytes = std::filesystem::file_size(path, unknown);
    if (!unknown && bytes >= kSealFrom) SW_CHECK(journal::seal(path, os::within(kSealLimit)));
    return {};
  }();
  if (!closed) {
    log.write(LogLevel::warn, "journal_not_closed", {{"attempt", job.attempt.value}, {"error", closed.error().what}});
  }
}

void close_service_journals(const std::filesystem::path& runs_dir, const model::JobSpec& job, Log& log) {
  constexpr std::string_view kRing = ".tail";  // there until a journal is closed
  const std::string begin = job.attempt.value + ".";
  std::vector<AttemptId> open;
  const auto names = os::list_directory(runs_dir / job.run.value);
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    if (name.size() <= begin.size() + kRing.size() || !name.starts_with(begin) || !name.ends_with(kRing)) continue;
    open.emplace_back(name.substr(0, name.size() - kRing.size()));
  }
  for (const AttemptId& attempt : open) {
    model::JobSpec service = job;
    service.attempt = attempt;
    model::AttemptReport report;
    report.attempt = attempt;
    report.outcome = model::Outcome::cancelled;
    report.reason = "slipway was killed";
    report.started = report.finished = wall_now();
    close_journal(runs_dir, service, report, JournalEnd::unknown, log);
  }
}

}  // namespace slipway::worker
