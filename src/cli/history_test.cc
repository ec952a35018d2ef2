#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "cli/history_test_support.h"
#include "cli/line_filter.h"
#include "cli/logs.h"
#include "cli/report.h"
#include "cli/runs.h"
#include "cli/view_test_support.h"

namespace slipway::cli {
namespace {

constexpr std::chrono::seconds kLimit{20};

AttemptEntry failed_attempt(const std::filesystem::path& journal) {
  AttemptEntry attempt;
  attempt.id = AttemptId("att1");
  attempt.outcome = model::Outcome::failed;
  attempt.exit_code = 2;
  attempt.reason = "step unit failed";
  attempt.started = at_ms(1);
  attempt.finished = at_ms(1420);
  attempt.steps = {step_result("build", model::Outcome::succeeded, 0, at_ms(2), at_ms(1202)),
                   step_result("unit", model::Outcome::failed, 2, at_ms(1203), at_ms(1400))};
  attempt.steps[0].cpu_micros = 800'000;
  attempt.steps[0].memory_peak_bytes = 3U << 20U;
  attempt.step_names = {"build", "unit", "report"};
  attempt.journal = journal;
  return attempt;
}

/// The failing run of view_test_support, as it is stored.
RunEntry stored_run(const std::filesystem::path& directory) {
  RunEntry run;
  run.id = RunId("run1");
  run.number = 12;
  run.workflow = "ci";
  run.event = "push";
  run.branch = "main";
  run.outcome = model::Outcome::failed;
  run.exit_code = 1;
  run.started = kStart;
  run.finished = at_ms(1421);
  run.jobs_total = 2;
  run.jobs_failed = 1;
  JobEntry test{.name = "test (gcc, 17)",
                .outcome = model::Outcome::failed,
                .exit_code = 2,
                .reason = "step unit failed",
                .failure_allowed = false,
                .started = at_ms(1),
                .finished = at_ms(1420),
                .attempts = {failed_attempt(directory / "att1.journal")},
                .decisions = {}};
  JobEntry deploy{.name = "deploy",
                  .outcome = model::Outcome::skipped,
                  .exit_code = 0,
                  .reason = "test did not succeed",
                  .failure_allowed = false,
                  .started = {},
                  .finished = {},
                  .attempts = {},
                  .decisions = {{.what = "skip", .trace = {{"all_success", "false (test (gcc, 17) failed)"}}}}};
  run.jobs = {std::move(test), std::move(deploy)};
  run.artifacts = {{.name = "logs", .job = "test (gcc, 17)", .bytes = 2048, .files = 2}};
  return run;
}

class HistoryTest : public testing::Test {
 protected:
  HistoryTest() {
    tell_failing_run(directory_.path(), [](const model::Notice&) {});
    history_.runs = {stored_run(directory_.path())};
  }

  std::string logs(const LogsOptions& options, bool json = false) {
    const Written written;
    Sink sink(written.fd());
    const auto shown =
        show_logs(options, history_, sink, {.json = json, .colour = false}, os::within(std::chrono::seconds(20)));
    return shown ? written.text() : "error: " + shown.error().what;
  }
  RunsStyle style(bool json = false) const {
    return {.json = json, .colour = false, .now = at_ms(1421) + std::chrono::minutes(3)};
  }

  TestDirectory directory_;
  HistoryOfTest history_;
};

TEST_F(HistoryTest, LogsPrefixWhatWasNotSaid) {
  EXPECT_EQ(logs({.run = "latest"}),
            "test (gcc, 17) | build | compiling a\ntest (gcc, 17) | build | warning: old \\x1b[2Jx\n"
            "test (gcc, 17) | build | compiling b\ntest (gcc, 17) | build | 100%\n"
            "test (gcc, 17) | unit | ok 1\ntest (gcc, 17) | unit | a.c:3: error: lost \"it\"\n"
            "test (gcc, 17) | unit | ok 2\ntest (gcc, 17) | unit | no newline\n");
  EXPECT_EQ(logs({.run = "run1", .job = "test (gcc, 17)", .step = "unit"}),
            "ok 1\na.c:3: error: lost \"it\"\nok 2\nno newline\n");
  EXPECT_EQ(logs({.run = "run1", .job = "test (gcc, 17)", .failed_only = true}),
            "unit | ok 1\nunit | a.c:3: error: lost \"it\"\nunit | ok 2\nunit | no newline\n");
}

TEST_F(HistoryTest, LogsCanBeSearchedAndCut) {
  const LogsOptions unit{.run = "run1", .job = "test (gcc, 17)", .step = "unit"};
  LogsOptions options = unit;
  options.grep = "^ok [0-9]$";
  EXPECT_EQ(logs(options), "ok 1\nok 2\n");
  options.grep = "ERROR";
  options.ignore_case = true;
  EXPECT_EQ(logs(options), "a.c:3: error: lost \"it\"\n");
  options = unit;
  options.since_line = 3;
  EXPECT_EQ(logs(options), "ok 2\nno newline\n");
  options = unit;
  options.tail = 1;
  EXPECT_EQ(logs(options), "no newline\n");
  options = unit;
  options.timestamps = true;
  options.tail = 1;
  EXPECT_EQ(logs(options), to_rfc3339(at_ms(1300)) + " no newline\n");
}

TEST_F(HistoryTest, LogsAsJson) {
  const std::string text = logs({.run = "run1", .step = "unit", .tail = 1}, true);
  const auto event = boost::json::parse(text).as_object();
  EXPECT_EQ(event.at("type").as_string(), "output");
  EXPECT_EQ(event.at("line").as_int64(), 4);
  EXPECT_EQ(event.at("text").as_string(), "no newline");
}

TEST_F(HistoryTest, MistypedNamesAreErrorsWithTheNearest) {
  EXPECT_EQ(logs({.run = "run1", .job = "deplo"}), "error: run run1 has no job `deplo`, did you mean `deploy`?");
  EXPECT_EQ(logs({.run = "run1", .step = "unitt"}), "error: there is no step `unitt`, did you mean `unit`?");
  EXPECT_EQ(logs({.run = "nope"}), "error: there is no run `nope`");
  EXPECT_TRUE(logs({.run = "run1", .grep = "("}).starts_with("error: --grep: "));
}

TEST_F(HistoryTest, FollowingReadsUntilTheRunHasEnded) {
  // The run goes on at first; at the third look it has a second job, whose journal grows, and has ended at the fifth.
  std::optional<JournalOfTest> journal;
  int looks = 0;
  RunEntry& run = history_.runs[0];
  run.outcome.reset();
  run.is_alive = true;
  history_.on_find = [&](HistoryOfTest& history) {
    RunEntry& now = history.runs[0];
    ++looks;
    if (looks == 3) {
      journal.emplace(directory_.path() / "att2.journal");
      journal->start(0, "push", "./push", at_ms(2000));
      journal->out(0, "one\ntw", at_ms(2001));
      (void)journal->bytes();
      AttemptEntry attempt;
      attempt.id = AttemptId("att2");
      attempt.step_names = {"push"};
      attempt.journal = directory_.path() / "att2.journal";
      now.jobs[1].attempts = {attempt};
    }
    if (looks == 4) {
      journal->out(0, "o\nend", at_ms(2002));
      (void)journal->bytes();
    }
    if (looks == 5) {
      now.jobs[1].attempts[0].outcome = model::Outcome::succeeded;
      now.outcome = model::Outcome::failed;
    }
  };
  EXPECT_EQ(logs({.run = "run1", .job = "deploy", .follow = true}), "push | one\npush | two\npush | end\n");
}

// Bytes that this process has read so far, from anything.
std::uint64_t bytes_read() {
  std::ifstream file("/proc/self/io");
  std::string key;
  std::uint64_t bytes = 0;
  file >> key >> bytes;
  return bytes;
}

TEST_F(HistoryTest, FollowingReadsAJournalOnceHoweverManyChildStepsItHas) {
  constexpr int kSteps = 60;
  JournalOfTest journal(directory_.path() / "live.journal");
  journal.add(journal::RecordType::attempt_started, journal::kNoStep,
              wire::payload::AttemptStarted{.run = "run1", .job = "j", .attempt = "a", .number = 1, .steps = {"run"}},
              kStart);
  for (std::uint16_t i = 1; i <= kSteps; ++i) {
    journal.add(
        journal::RecordType::step_started, i,
        wire::payload::StepStarted{.name = fmt::format("child {}", i), .command = "", .attempt = 1, .parent = 0},
        at_ms(i));
    journal.out(i, std::string(20'000, 'x') + "\n", at_ms(i));
  }
  const std::uint64_t size = journal.bytes();
  AttemptEntry attempt;
  attempt.id = AttemptId("a");
  attempt.journal = directory_.path() / "live.journal";
  RunEntry& run = history_.runs[0];
  run.outcome.reset();
  run.is_alive = false;
  run.jobs.resize(1);
  run.jobs[0].name = "j";
  run.jobs[0].attempts = {attempt};
  const std::uint64_t before = bytes_read();
  const std::string text = logs({.run = "run1", .follow = true});
  EXPECT_LT(bytes_read() - before, size * 5);
  EXPECT_NE(text.find("j | child 1 | x"), std::string::npos);
  EXPECT_NE(text.find("j | child 60 | x"), std::string::npos);
}

TEST_F(HistoryTest, AReportSaysHowManyAttemptsItLeavesOut) {
  JobEntry& job = history_.runs[0].jobs[1];
  job.attempts.assign(1'003, AttemptEntry());
  for (AttemptEntry& attempt : job.attempts) attempt.journal = directory_.path() / "none.journal";
  const std::string file = (directory_.path() / "page.html").string();
  ASSERT_TRUE(write_report({.run = "run1", .output = file}, history_, directory_.path(), style(), os::within(kLimit)));
  const std::string page = os::read_file(file, 64U << 20U).value();
  EXPECT_NE(page.find("the first 1000 attempts and services; 4 more are left out"), std::string::npos);
}

TEST_F(HistoryTest, OtherProjectsRunsAreListedAndRemovedOnlyWhenAsked) {
  RunEntry other = stored_run(directory_.path());
  other.id = RunId("run2");
  other.project = "/other";
  history_.runs.push_back(other);
  Prompt nobody = Prompt::open(Prompt::Mode::never);
  EXPECT_EQ(list_runs({}, history_, style())->find("run2"), std::string::npos);
  EXPECT_NE(list_runs({.all_projects = true}, history_, style())->find("/other\n"), std::string::npos);
  ASSERT_TRUE(remove_runs({.all = true, .yes = true}, history_, nobody, style()));
  EXPECT_EQ(history_.removed, std::vector<std::string>{"run1"});
  history_.removed.clear();
  ASSERT_TRUE(remove_runs({.all = true, .all_projects = true, .yes = true}, history_, nobody, style()));
  EXPECT_EQ(history_.removed, (std::vector<std::string>{"run1", "run2"}));
}

TEST_F(HistoryTest, StepsOfAnAttemptThatRunsAreNamedByItsJournal) {
  JournalOfTest journal(directory_.path() / "live.journal");
  journal.add(journal::RecordType::attempt_started, journal::kNoStep,
              wire::payload::AttemptStarted{
                  .run = "run1", .job = "keep", .attempt = "a", .number = 1, .steps = {"fetch", "wait"}},
              kStart);
  journal.out(1, "hello\n", at_ms(1));
  (void)journal.bytes();
  AttemptEntry attempt;
  attempt.id = AttemptId("a");
  attempt.journal = directory_.path() / "live.journal";
  RunEntry& run = history_.runs[0];
  run.outcome.reset();
  run.is_alive = true;
  run.jobs = {{.name = "keep",
               .outcome = {},
               .exit_code = 0,
               .reason = {},
               .failure_allowed = false,
               .started = {},
               .finished = {},
               .attempts = {attempt},
               .decisions = {}}};
  EXPECT_EQ(logs({.run = "run1"}), "keep | wait | hello\n");
  EXPECT_EQ(logs({.run = "run1", .step = "wait"}), "keep | hello\n");
  int looks = 0;
  history_.on_find = [&looks](HistoryOfTest& history) { history.runs[0].is_alive = ++looks < 3; };
  EXPECT_EQ(logs({.run = "run1", .follow = true}), "keep | wait | hello\n");
}

TEST_F(HistoryTest, AJobThatRunsIsShownWithTheStepItIsAt) {
  JournalOfTest journal(directory_.path() / "live.journal");
  journal.start(0, "fetch", "./fetch", at_ms(0));
  journal.finish(0, step_result("fetch", model::Outcome::succeeded, 0, at_ms(0), at_ms(700)));
  journal.start(1, "wait", "sleep 60", at_ms(700));
  (void)journal.bytes();
  RunEntry& run = history_.runs[0];
  run.outcome.reset();
  run.is_alive = true;
  AttemptEntry attempt;
  attempt.journal = directory_.path() / "live.journal";
  JobEntry job;
  job.name = "keep";
  job.attempts = {attempt};
  run.jobs = {job};
  const std::string text = view_run({"run1"}, history_, style()).value();
  EXPECT_NE(text.find("✓ fetch                      700 ms\n"), std::string::npos) << text;
  EXPECT_NE(text.find("● wait "), std::string::npos) << text;
  const auto json = boost::json::parse(view_run({"run1"}, history_, style(true)).value()).as_object();
  const auto& steps = json.at("jobs").at(0).at("attempts").at(0).at("steps").as_array();
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].at("outcome").as_string(), "succeeded");
  EXPECT_TRUE(steps[1].at("outcome").is_null());
}

TEST(LineFilter, LiteralsAndExpressions) {
  const auto literal = LineFilter::make("a b", LineFilter::Case::exact);
  ASSERT_TRUE(literal);
  EXPECT_TRUE(literal->matches("xa by"));
  EXPECT_FALSE(literal->matches("ab"));
  const auto expression = LineFilter::make("(error|warning):? [0-9]+", LineFilter::Case::exact);
  ASSERT_TRUE(expression);
  EXPECT_TRUE(expression->matches("x warning 12"));
  EXPECT_FALSE(expression->matches(std::string_view("error 12").substr(0, 6)));
}

TEST_F(HistoryTest, RunsAreListedAndFiltered) {
  EXPECT_EQ(list_runs({}, history_, style()).value(),
            "✗ run1  #12    ci               push         main             failed          1.4 s  3m01s ago      1 of "
            "2 jobs failed\n");
  EXPECT_EQ(list_runs({.limit = 20, .workflow = "other", .outcome = {}}, history_, style()).value(),
            "No run is like that.\n");
  const auto json = boost::json::parse(list_runs({}, history_, style(true)).value()).as_object();
  EXPECT_EQ(json.at("run").as_string(), "run1");
  EXPECT_EQ(json.at("duration_ms").as_int64(), 1421);
}

TEST_F(HistoryTest, ARunIsShownWithStepsFiguresAndDecisions) {
  const std::string text = view_run({"latest"}, history_, style()).value();
  for (const char* part :
       {"✗ ci failed in 1.4 s", "run run1 (#12), push on main", "✗ test (gcc, 17)  failed in 1.4 s: step unit failed",
        "✓ build                       1.2 s  cpu 800 ms, memory 3.0 MiB", "exit 2",
        "↷ deploy  skipped: test did not succeed", "all_success -> false (test (gcc, 17) failed)", "logs ",
        "2.0 KiB"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  const auto json = boost::json::parse(view_run({"run1"}, history_, style(true)).value()).as_object();
  EXPECT_EQ(json.at("jobs").at(0).at("attempts").at(0).at("steps").at(0).at("memory_peak_bytes").as_int64(), 3 << 20);
  EXPECT_EQ(json.at("jobs").at(1).at("decisions").at(0).at("what").as_string(), "skip");
}

TEST_F(HistoryTest, RemovalAsksUnlessToldNotTo) {
  Prompt nobody = Prompt::open(Prompt::Mode::never);
  EXPECT_FALSE(
      remove_runs({.runs = {"run1"}, .older_than = {}, .all = false, .yes = false}, history_, nobody, style()));
  EXPECT_TRUE(history_.removed.empty());
  EXPECT_EQ(
      remove_runs({.runs = {"run1"}, .older_than = {}, .all = false, .yes = true}, history_, nobody, style()).value(),
      "Removed 1 run, 3.0 KiB freed.\n");
  EXPECT_EQ(history_.removed, std::vector<std::string>{"run1"});
  EXPECT_EQ(remove_runs({.runs = {}, .older_than = std::chrono::hours(1), .all = false, .yes = true}, history_, nobody,
                        style())
                .value(),
            "Nothing to remove.\n");
  history_.runs[0].outcome.reset();
  history_.runs[0].is_alive = true;
  EXPECT_EQ(
      remove_runs({.runs = {"run1"}, .older_than = {}, .all = false, .yes = true}, history_, nobody, style()).value(),
      "run1 is running: left alone\nNothing to remove.\n");
}

TEST_F(HistoryTest, ArtifactsAreListedAndUnpacked) {
  EXPECT_EQ(run_artifacts({"latest", "", ""}, history_, "/w", style()).value(),
            "logs                        2.0 KiB  2 files, of test (gcc, 17)\n");
  EXPECT_EQ(run_artifacts({"latest", "logs", ""}, history_, "/w", style()).value(), "/w/logs\n");
  EXPECT_EQ(run_artifacts({"latest", "logs", "out"}, history_, "/w", style()).value(), "/w/out\n");
  EXPECT_EQ(history_.unpacked, (std::vector<std::string>{"run1:logs:/w/logs", "run1:logs:/w/out"}));
  EXPECT_EQ(run_artifacts({"latest", "log", ""}, history_, "/w", style()).error().what,
            "run run1 has no artifact `log`, did you mean `logs`?");
}

TEST_F(HistoryTest, StoredDecisionsAreExplained) {
  ExplainOptions options;
  options.job = "deploy";
  options.run = "latest";
  EXPECT_EQ(explain_stored(options, history_, style()).value(),
            "↷ deploy  skipped: test did not succeed\n  skip\n    all_success -> false (test (gcc, 17) failed)\n");
}

}  // namespace
}  // namespace slipway::cli
