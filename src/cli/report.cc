#include "cli/report.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/scope_exit.h"
#include "cli/report_parts.h"
#include "os/files.h"

namespace slipway::cli {

namespace {

constexpr std::size_t kMostLogs = 1'000;   // attempts of a run and their services; what is beyond is counted
constexpr std::size_t kMostNoted = 1'000;  // notes of a kind of each

void add_log(report::Logs& logs, report::Log log) {
  if (logs.shown.size() == kMostLogs) {
    ++logs.left_out;
    return;
  }
  log.index = logs.shown.size();
  log.notes = read_notes(log.journal, {.of_a_kind = kMostNoted});
  log.steps = log.service.empty() ? steps_in_order(*log.attempt, log.notes) : steps_in_order(log.notes);
  logs.shown.push_back(std::move(log));
}

report::Logs logs_of(const RunEntry& run) {
  report::Logs logs;
  for (const JobEntry& job : run.jobs) {
    for (const AttemptEntry& attempt : job.attempts) {
      report::Log log;
      log.job = &job;
      log.attempt = &attempt;
      log.name = job.name;
      if (job.attempts.size() > 1) log.name += fmt::format(", try {}", attempt.number);
      log.journal = attempt.journal;
      add_log(logs, log);
      for (const std::string& service : services_of(attempt.journal)) {
        report::Log beside = log;
        beside.service = service;
        beside.name += " / " + service;
        beside.journal = service_journal(attempt.journal, service);
        add_log(logs, std::move(beside));
      }
    }
  }
  return logs;
}

Result<void> write_page(const RunEntry& run, RunHistory& history, int fd, Time now, const os::CallLimit& limit) {
  SW_TRY(const std::vector<TestEntry> tests, history.tests(run.id));
  const report::Logs logs = logs_of(run);
  Sink sink(fd);
  sink.buffer() += report::page_head(run, tests, logs, now);
  std::string index = "[";
  std::size_t pieces = 0;
  std::uint64_t bytes_left = kMostLogBytes;
  for (const report::Log& log : logs.shown) {
    if (log.index > 0) index += ',';
    SW_CHECK(report::write_log(log, sink, pieces, bytes_left, index, limit));
    SW_CHECK(sink.status());
  }
  sink.buffer() += report::page_end(index + "]");
  sink.flush();
  return sink.status();
}

}  // namespace

Result<std::string> write_report(const RunsReportOptions& options, RunHistory& history,
                                 const std::filesystem::path& working_dir, const RunsStyle& style,
                                 const os::CallLimit& limit) {
  SW_TRY(const RunEntry run, history.find(options.run));
  if (options.output == "-") {
    SW_CHECK(write_page(run, history, STDOUT_FILENO, style.now, limit));
    return std::string();
  }
  const std::filesystem::path target =
      working_dir /
      (options.output.empty() ? std::filesystem::path("slipway-" + run.id.value + ".html") : options.output);
  // Beside it, and renamed when whole: nobody opens half a page.
  const std::filesystem::path part = target.string() + fmt::format(".{}.part", ::getpid());
  SW_TRY(os::Fd file, os::open_file(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  ScopeExit remove([&] { ::unlink(part.c_str()); });
  SW_CHECK(write_page(run, history, file.get(), style.now, limit));
  if (::rename(part.c_str(), target.c_str()) != 0) return fail_errno(errno, "writing " + target.string());
  remove.release();
  return target.string() + "\n";
}

}  // namespace slipway::cli
