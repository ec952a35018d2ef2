#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "journal/writer.h"
#include "model/notices.h"
#include "os/files.h"
#include "os/test_directory.h"
#include "wire/journal_json.h"

/// Runs as the engine and init would tell them: notices, and a journal that a test writes.
namespace slipway::cli {

inline const Time kStart = from_micros(1'795'250'000'000'000);
inline Time at_ms(int milliseconds) { return kStart + std::chrono::milliseconds(milliseconds); }

using os::TestDirectory;

/// What was written to `fd` of it.
class Written {
 public:
  Written() : file_(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) { EXPECT_TRUE(file_); }
  int fd() const { return file_.get(); }
  std::string text() const {
    std::string all(static_cast<std::size_t>(::lseek(file_.get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(file_.get(), all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
    return all;
  }

 private:
  os::Fd file_;
};

class JournalOfTest {
 public:
  explicit JournalOfTest(const std::filesystem::path& path) {
    auto file = os::open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    EXPECT_TRUE(file);
    auto writer = journal::Writer::create(std::move(*file));
    EXPECT_TRUE(writer);
    writer_.emplace(std::move(*writer));
  }

  template <class Payload>
  void add(journal::RecordType type, std::uint16_t step, const Payload& payload, Time at) {
    EXPECT_TRUE(writer_->append(type, step, 0, at, wire::payload::encode(payload)));
  }
  void start(std::uint16_t step, const std::string& name, const std::string& command, Time at) {
    add(journal::RecordType::step_started, step,
        wire::payload::StepStarted{.name = name, .command = command, .attempt = 1}, at);
  }
  void out(std::uint16_t step, std::string_view text, Time at, journal::Stream stream = journal::Stream::out) {
    EXPECT_TRUE(writer_->append(journal::output_type(stream), step, 0, at, text));
  }
  void finish(std::uint16_t step, const model::StepResult& result, const std::string& reason = "") {
    add(journal::RecordType::step_finished, step,
        wire::payload::StepFinished{.result = result, .reason = reason, .will_retry = false, .failure_allowed = false},
        result.finished);
  }
  std::uint64_t bytes() {
    EXPECT_TRUE(writer_->flush());
    return writer_->offset();
  }

 private:
  std::optional<journal::Writer> writer_;
};

inline model::StepResult step_result(const std::string& name, model::Outcome outcome, int exit_code, Time from,
                                     Time to) {
  model::StepResult result;
  result.name = name;
  result.outcome = outcome;
  result.exit_code = exit_code;
  result.started = from;
  result.finished = to;
  return result;
}

/// A run of two jobs, the first of which fails in its second step and asks for a third job; the other is skipped.
/// Tells `listener` all of it and returns.
template <class Tell>
void tell_failing_run(const std::filesystem::path& directory, Tell&& tell) {
  using model::Outcome;
  const RunId run("run1");
  const AttemptId attempt("att1");
  tell(model::RunStarted{.run = run,
                         .workflow = "ci",
                         .event = "push",
                         .branch = "main",
                         .sha = "0123456789abcdef",
                         .jobs = {"test (gcc, 17)", "deploy"},
                         .at = kStart});
  tell(model::AttemptStarted{.run = run,
                             .job = "test (gcc, 17)",
                             .attempt = attempt,
                             .number = 1,
                             .journal_path = "att1.journal",
                             .steps = {"build", "unit", "report"},
                             .at = at_ms(1)});
  JournalOfTest journal(directory / "att1.journal");
  journal.start(0, "build", "make", at_ms(2));
  journal.out(0, "compiling a\ncompil", at_ms(3));
  journal.out(0, "warning: \x1b[33mold\x1b[0m \x1b[2Jx\n", at_ms(4), journal::Stream::err);
  journal.out(0, "ing b\n 10%\r 50%\r100%\n", at_ms(5));
  tell(model::AttemptProgress{
      .run = run, .job = "test (gcc, 17)", .attempt = attempt, .journal_bytes = journal.bytes()});
  journal.finish(0, step_result("build", Outcome::succeeded, 0, at_ms(2), at_ms(1202)));
  journal.start(1, "unit", "make check", at_ms(1203));
  journal.out(1, "ok 1\na.c:3: error: lost \"it\"\nok 2\nno newline", at_ms(1300));
  journal.add(journal::RecordType::annotation, 1,
              wire::payload::Annotation{.level = wire::payload::Annotation::Level::error,
                                        .title = "",
                                        .message = "lost it",
                                        .file = "a.c",
                                        .line = 3},
              at_ms(1301));
  journal.finish(1, step_result("unit", Outcome::failed, 2, at_ms(1203), at_ms(1400)));
  journal.finish(2, step_result("report", Outcome::skipped, 0, at_ms(1400), at_ms(1400)), "an earlier step failed");
  journal.add(journal::RecordType::artifact, journal::kNoStep,
              wire::payload::Artifact{.name = "logs",
                                      .kind = wire::payload::Artifact::Kind::artifact,
                                      .files = 2,
                                      .bytes = 2048,
                                      .url = "",
                                      .refused = {}},
              at_ms(1410));
  model::AttemptReport report;
  report.attempt = attempt;
  report.outcome = Outcome::failed;
  report.exit_code = 2;
  report.reason = "step unit failed";
  report.started = at_ms(1);
  report.finished = at_ms(1420);
  report.steps = {step_result("build", Outcome::succeeded, 0, at_ms(2), at_ms(1202)),
                  step_result("unit", Outcome::failed, 2, at_ms(1203), at_ms(1400)),
                  step_result("report", Outcome::skipped, 0, at_ms(1400), at_ms(1400))};
  report.journal_bytes = journal.bytes();
  tell(
      model::Triggered{.run = run,
                       .by_job = "test (gcc, 17)",
                       .job = "bisect",
                       .json = R"({"jobs":[{"job_name":"bisect","job_command":"git bisect run make check","env":{}}]})",
                       .accepted = false,
                       .reason = {},
                       .as = {},
                       .file = {},
                       .image = {},
                       .is_alone = true});
  tell(model::AttemptFinished{
      .run = run, .job = "test (gcc, 17)", .report = report, .will_retry = false, .retry_at = {}});
  tell(model::JobFinished{.run = run,
                          .job = "test (gcc, 17)",
                          .outcome = Outcome::failed,
                          .exit_code = 2,
                          .reason = "step unit failed",
                          .failure_allowed = false,
                          .started = at_ms(1),
                          .finished = at_ms(1420)});
  tell(model::JobFinished{.run = run,
                          .job = "deploy",
                          .outcome = Outcome::skipped,
                          .exit_code = 0,
                          .reason = "test did not succeed",
                          .failure_allowed = false,
                          .started = at_ms(1420),
                          .finished = at_ms(1420)});
  tell(model::RunFinished{.run = run, .outcome = Outcome::failed, .exit_code = 1, .reason = "", .at = at_ms(1421)});
}

}  // namespace slipway::cli
