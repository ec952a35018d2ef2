#include "cli/view.h"

#include <algorithm>
#include <csignal>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/text.h"
#include "cli/feed.h"
#include "cli/json_view.h"
#include "cli/live_view.h"
#include "cli/plain_view.h"
#include "cli/view_test_support.h"

namespace slipway::cli {
namespace {

/// Runs the failing run through `audience`, reading after every notice, so that nothing depends on timing.
void show(Audience& audience, const std::filesystem::path& directory) {
  Feed feed(audience, directory, Feed::Names::of_jobs);
  tell_failing_run(directory, [&](const model::Notice& notice) {
    feed.take(notice);
    while (feed.read_some()) {
    }
    audience.pause(kStart);
  });
  audience.end();
}

constexpr const char* kSummary =
    "\n"
    "✗ ci failed in 1.4 s  (1 failed, 1 skipped; run run1)\n"
    "  ✗ test (gcc, 17)  failed in 1.4 s: step unit failed\n"
    "      step unit: failed, exit 2\n"
    "      | a.c:3: error: lost \"it\"\n"
    "      slipway logs run1 'test (gcc, 17)'\n"
    "  ↷ deploy  skipped: test did not succeed\n"
    "  ✗ test (gcc, 17): error: a.c:3: lost it\n"
    "  artifact logs of test (gcc, 17) (2 files, 2.0 KiB): slipway runs artifacts run1 logs\n"
    "  would run next: bisect (asked for by test (gcc, 17))\n"
    "      slipway run --job-command 'git bisect run make check'\n";

TEST(PlainView, ShowsPrefixedLinesAndASummary) {
  const TestDirectory directory;
  const Written written;
  Sink sink(written.fd());
  PlainView view(sink, false, "slipway", PlainView::Lines::all);
  show(view, directory.path());
  EXPECT_EQ(written.text(), std::string("run run1 of ci (push, main @ 0123456): 2 jobs\n"
                                        "test (gcc, 17) > build: make\n"
                                        "test (gcc, 17) | compiling a\n"
                                        "test (gcc, 17) | warning: old \\x1b[2Jx\n"
                                        "test (gcc, 17) | compiling b\n"
                                        "test (gcc, 17) | 100%\n"
                                        "test (gcc, 17) ! asks for job bisect\n"
                                        "test (gcc, 17) < build ok in 1.2 s\n"
                                        "test (gcc, 17) > unit: make check\n"
                                        "test (gcc, 17) | ok 1\n"
                                        "test (gcc, 17) | a.c:3: error: lost \"it\"\n"
                                        "test (gcc, 17) | ok 2\n"
                                        "test (gcc, 17) ! error: a.c:3: lost it\n"
                                        "test (gcc, 17) | no newline\n"
                                        "test (gcc, 17) < unit failed (exit 2) in 197 ms\n"
                                        "test (gcc, 17) < report skipped: an earlier step failed\n"
                                        "test (gcc, 17) < failed in 1.4 s: step unit failed\n"
                                        "deploy < skipped: test did not succeed\n") +
                                kSummary);
}

TEST(PlainView, KeepsColoursOfAJobOnlyWhereColoursAreWanted) {
  const TestDirectory directory;
  const Written written;
  Sink sink(written.fd());
  PlainView view(sink, true, "slipway", PlainView::Lines::all);
  show(view, directory.path());
  EXPECT_NE(written.text().find("warning: \x1b[33mold\x1b[0m \\x1b[2Jx\x1b[0m\n"), std::string::npos);
  EXPECT_EQ(written.text().find("\x1b[2J"), std::string::npos);
}

TEST(QuietView, SaysOnlyWhatFailed) {
  const TestDirectory directory;
  const Written written;
  Sink sink(written.fd());
  PlainView view(sink, false, "slipway", PlainView::Lines::summary_of_failures);
  show(view, directory.path());
  EXPECT_EQ(written.text(),
            "✗ ci failed in 1.4 s  (1 failed, 1 skipped; run run1)\n"
            "  ✗ test (gcc, 17)  failed in 1.4 s: step unit failed\n"
            "      step unit: failed, exit 2\n"
            "      | a.c:3: error: lost \"it\"\n"
            "      slipway logs run1 'test (gcc, 17)'\n"
            "  ↷ deploy  skipped: test did not succeed\n"
            "  ✗ test (gcc, 17): error: a.c:3: lost it\n");
}

std::vector<boost::json::object> events_of(const std::string& text) {
  std::vector<boost::json::object> events;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty())
      events.push_back(boost::json::parse(boost::json::string_view(line.data(), line.size())).as_object());
  }
  return events;
}

TEST(JsonView, EndsWithTheRunAsDocumented) {
  const TestDirectory directory;
  const Written written;
  Sink sink(written.fd());
  JsonView view(sink);
  show(view, directory.path());
  const std::string text = written.text();
  const std::string last = text.substr(text.rfind('\n', text.size() - 2) + 1);
  const std::string expected = R"j({"type":"run_finished","run":"run1","outcome":"failed","exit_code":1,"jobs":[)j"
                               R"j({"name":"test (gcc, 17)","outcome":"failed","exit_code":2,"started_at":")j" +
                               to_rfc3339(at_ms(1)) +
                               R"j(","duration_ms":1419,"steps":[)j"
                               R"j({"name":"build","outcome":"succeeded","exit_code":0,"duration_ms":1200},)j"
                               R"j({"name":"unit","outcome":"failed","exit_code":2,"duration_ms":197},)j"
                               R"j({"name":"report","outcome":"skipped","exit_code":0,"duration_ms":0}]},)j"
                               R"j({"name":"deploy","outcome":"skipped","exit_code":0,"started_at":")j" +
                               to_rfc3339(at_ms(1420)) +
                               R"j(","duration_ms":0,"steps":[]}]})j"
                               "\n";
  EXPECT_EQ(last, expected);
}

TEST(JsonView, TellsEventsInOrder) {
  const TestDirectory directory;
  const Written written;
  Sink sink(written.fd());
  JsonView view(sink);
  show(view, directory.path());
  const auto events = events_of(written.text());
  std::string types;
  for (const auto& event : events) types += std::string(event.at("type").as_string()) + " ";
  EXPECT_EQ(types,
            "run_started job_started step_started output output output output trigger step_finished step_started "
            "output output output "
            "annotation output step_finished step_finished artifact job_finished job_finished run_finished ");
  const std::string output =
      R"j({"type":"output","run":"run1","job":"test (gcc, 17)","attempt":1,"step":"build","stream":"stdout","line":1,"text":"compiling a"})j";
  EXPECT_EQ(boost::json::serialize(events[3]), output);
  EXPECT_EQ(events[4].at("stream").as_string(), "stderr");
  EXPECT_EQ(events[6].at("text").as_string(), " 10%\r 50%\r100%");
  EXPECT_EQ(events[11].at("text").as_string(), "a.c:3: error: lost \"it\"");
}

/// What a terminal of the given size would show in the end: enough of one for the sequences that we send.
std::vector<std::string> terminal_after(const std::string& text) {
  std::vector<std::string> rows(1);
  std::size_t row = 0;
  bool at_start = true;  // what stands in a row goes when it is written anew
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n') {
      if (++row == rows.size()) rows.emplace_back();
      at_start = true;
    } else if (text[at] == '\r') {
      at_start = true;
    } else if (text[at] == '\x1b' && text[at + 1] == '[') {
      const std::size_t end = text.find_first_of("ABCDEFGHJKhlm", at);
      if (text[end] == 'A') row -= std::stoul(text.substr(at + 2, end - at - 2));
      if (text[end] == 'J') rows.resize(row + 1);
      if ((text[end] == 'J' || text[end] == 'K') && at_start) rows[row].clear();
      at = end;
    } else {
      if (at_start) rows[row].clear();
      at_start = false;
      rows[row] += text[at];
    }
  }
  return rows;
}

TEST(LiveView, DrawsALineAJobAndLeavesASummary) {
  const TestDirectory directory;
  const Written written;
  Sink sink(written.fd());
  LiveView view(sink, false, "slipway", [] { return TerminalSize{60, 20}; });
  Feed feed(view, directory.path(), Feed::Names::of_jobs);
  std::vector<std::string> frame;
  int ms = 0;
  tell_failing_run(directory.path(), [&](const model::Notice& notice) {
    feed.take(notice);
    while (feed.read_some()) {
    }
    view.pause(at_ms(ms += 150));
    if (std::holds_alternative<model::AttemptProgress>(notice)) frame = terminal_after(written.text());
  });
  EXPECT_EQ(frame, (std::vector<std::string>{"ci  push on main  450 ms", "● test (gcc, 17)   449 ms  build (1/3)",
                                             "○ deploy        ", "-- test (gcc, 17) > build", "  compiling a",
                                             "  warning: old \\x1b[2Jx", "  compiling b", "  100%", ""}));
  view.end();
  std::string end = join(terminal_after(written.text()), "\n");
  EXPECT_EQ(end, std::string("✗ test (gcc, 17)\n"
                             "  ✓ build succeeded in 1.2 s\n"
                             "  ✗ unit failed (exit 2) in 197 ms\n"
                             "    ok 1\n"
                             "    a.c:3: error: lost \"it\"\n"
                             "    ok 2\n"
                             "    no newline\n"
                             "  ↷ report skipped: an earlier step failed\n"
                             "✗ test (gcc, 17)    1.4 s  failed: step unit failed\n"
                             "↷ deploy                   skipped: test did not succeed\n") +
                     kSummary);
  EXPECT_TRUE(written.text().find("\x1b[?25l") < written.text().rfind("\x1b[?25h"));
}

TEST(LiveView, CollapsesAThousandJobsIntoCounts) {
  const Written written;
  Sink sink(written.fd());
  LiveView view(sink, false, "slipway", [] { return TerminalSize{40, 12}; });
  model::RunStarted started{
      .run = RunId("r"), .workflow = "big", .event = "push", .branch = "", .sha = "", .jobs = {}, .at = kStart};
  for (int i = 0; i < 1000; ++i) started.jobs.push_back(fmt::format("job-{}", i));
  view.run_started(started);
  for (int i = 0; i < 500; ++i) {
    view.job_finished({.run = RunId("r"),
                       .job = fmt::format("job-{}", i),
                       .outcome = i == 7 ? model::Outcome::failed : model::Outcome::succeeded,
                       .exit_code = 0,
                       .reason = "",
                       .failure_allowed = false,
                       .started = kStart,
                       .finished = at_ms(5)},
                      fmt::format("job-{}", i));
  }
  AttemptView attempt{.run = RunId("r"),
                      .job = "job-900",
                      .label = "job-900",
                      .attempt = AttemptId("a"),
                      .number = 1,
                      .steps = {},
                      .journal_path = {}};
  view.attempt_started(attempt, kStart);
  view.pause(at_ms(0));
  view.pause(at_ms(200));
  const auto rows = terminal_after(written.text());
  EXPECT_LE(rows.size(), 12U);
  EXPECT_NE(std::ranges::find_if(rows, [](const std::string& row) { return row.starts_with("● job-900"); }),
            rows.end());
  EXPECT_NE(std::ranges::find_if(rows, [](const std::string& row) { return row.starts_with("✗ job-7 "); }), rows.end());
  EXPECT_NE(std::ranges::find(rows, "  1000 jobs: ○ 499  ● 1  ✓ 499  ✗ 1"), rows.end()) << join(rows, "\n");
}

TEST(LiveView, RedrawsNoMoreThanTenTimesASecond) {
  const Written written;
  Sink sink(written.fd());
  LiveView view(sink, false, "slipway", [] { return TerminalSize{40, 12}; });
  view.run_started(
      {.run = RunId("r"), .workflow = "w", .event = "push", .branch = "", .sha = "", .jobs = {"a"}, .at = kStart});
  for (int i = 0; i <= 1000; ++i) view.pause(at_ms(i));
  std::size_t frames = 0;
  const std::string text = written.text();
  for (std::size_t at = text.find("\x1b[?2026h"); at != std::string::npos; at = text.find("\x1b[?2026h", at + 1))
    ++frames;
  EXPECT_EQ(frames, 10U);
}

TEST(View, OnItsOwnThreadShowsTheSame) {
  const TestDirectory directory;
  const Written written;
  auto view = make_view({.kind = ViewKind::json,
                         .fd = written.fd(),
                         .colour = false,
                         .journal_root = directory.path(),
                         .several_runs = false,
                         .program = "slipway",
                         .on_reader_gone = nullptr});
  ASSERT_TRUE(view);
  tell_failing_run(directory.path(), [&](const model::Notice& notice) { (*view)->on_notice(notice); });
  (*view)->say("done");
  ASSERT_TRUE((*view)->close());
  const auto events = events_of(written.text());
  ASSERT_EQ(events.size(), 22U);
  EXPECT_EQ(events.back().at("message").as_string(), "done");
}

TEST(View, TellsWhenNobodyReadsAnyMore) {
  const TestDirectory directory;
  auto pipe = os::make_pipe();
  ASSERT_TRUE(pipe);
  pipe->read.reset();
  ::signal(SIGPIPE, SIG_IGN);
  int gone = 0;
  auto view = make_view({.kind = ViewKind::plain,
                         .fd = pipe->write.get(),
                         .colour = false,
                         .journal_root = directory.path(),
                         .several_runs = false,
                         .program = "slipway",
                         .on_reader_gone = [&] { ++gone; }});
  ASSERT_TRUE(view);
  tell_failing_run(directory.path(), [&](const model::Notice& notice) { (*view)->on_notice(notice); });
  const auto closed = (*view)->close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(gone, 1);
}

TEST(View, SayingSomethingNeverWaitsForAStuckOutput) {
  const TestDirectory directory;
  auto pipe = os::make_pipe();
  ASSERT_TRUE(pipe);
  ::signal(SIGPIPE, SIG_IGN);
  auto view = make_view({.kind = ViewKind::plain, .fd = pipe->write.get(), .journal_root = directory.path()});
  ASSERT_TRUE(view);
  for (int i = 0; i < 200'000; ++i) (*view)->say("stopping: again to stop at once");
  pipe->read.reset();  // the thread writes no more
  EXPECT_FALSE((*view)->close());
}

TEST(View, ColoursFollowFlagEnvironmentAndTerminal) {
  const Written written;
  EXPECT_FALSE(choose_colour(ColourChoice::automatic, written.fd(), {{"TERM", "xterm"}}));
  EXPECT_TRUE(choose_colour(ColourChoice::automatic, written.fd(), {{"CLICOLOR_FORCE", "1"}}));
  EXPECT_FALSE(choose_colour(ColourChoice::automatic, written.fd(), {{"CLICOLOR_FORCE", "1"}, {"NO_COLOR", "1"}}));
  EXPECT_TRUE(choose_colour(ColourChoice::always, written.fd(), {{"NO_COLOR", "1"}}));
}

}  // namespace
}  // namespace slipway::cli
