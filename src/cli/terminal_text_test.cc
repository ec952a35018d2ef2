#include "cli/terminal_text.h"

#include <gtest/gtest.h>

#include "cli/json_writer.h"
#include "cli/line_splitter.h"
#include "cli/summary.h"

namespace slipway::cli {
namespace {

std::string shown(std::string_view text, Colour colour = Colour::keep) {
  std::string out;
  append_printable(out, text, colour);
  return out;
}

TEST(TerminalText, IsWhatPrintableMakesOfIt) {
  const std::string long_line(1000, 'x');
  for (const std::string& text :
       {std::string("plain"), std::string(""), std::string("tab\there"), std::string("\x1b[31mred\x1b[0m"),
        std::string("\x1b]0;title\x07"), std::string("\x1b[2J"), std::string("grün 漢字 \xff\xfe ok"),
        std::string("a\x1b"), std::string("\x1b[31"), std::string("nul\0x", 5),
        std::string("\x9b"
                    "31m"),
        long_line + "\x1b[1m" + long_line + "é" + long_line, std::string("\xe2\x80\xae evil")}) {
    EXPECT_EQ(shown(text), printable(text, Colour::keep));
    EXPECT_EQ(shown(text, Colour::strip), printable(text, Colour::strip));
  }
}

TEST(TerminalText, OfADrawnLineIsLeftWhatATerminalShows) {
  std::string drawn;
  EXPECT_EQ(visible_line(" 10%\r 50%\r100%", drawn), "100%");
  EXPECT_EQ(visible_line("dos line\r", drawn), "dos line");
  EXPECT_EQ(visible_line("plain", drawn), "plain");
  EXPECT_EQ(visible_line("compiling a.c\rok", drawn), "okmpiling a.c");
  EXPECT_EQ(visible_line("compiling a.c\r\x1b[Kok", drawn), "\x1b[Kok");
  EXPECT_EQ(visible_line("\x1b[32mgrün\x1b[0m\r\rx", drawn), "xrün\x1b[0m");
}

TEST(TerminalText, FitsColumnsNotBytes) {
  EXPECT_EQ(fit("hello", 5), "hello");
  EXPECT_EQ(fit("hello", 4), "hel…");
  EXPECT_EQ(fit("漢字漢字", 5), "漢字…");
  EXPECT_EQ(fit("\x1b[31mhello\x1b[0m", 4), "\x1b[31mhel…\x1b[0m");
  EXPECT_EQ(display_width("\x1b[31m漢é✓\x1b[0m"), 4U);
  EXPECT_EQ(fit("abc", 0), "");
}

std::vector<std::string> lines_of(const std::vector<std::string>& pieces) {
  LineSplitter splitter;
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  for (const std::string& piece : pieces) splitter.add(piece, take);
  splitter.finish(take);
  return lines;
}

TEST(LineSplitter, GivesTheSameLinesForAnySplit) {
  const std::string text = "one\ntwo\n\nthree";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(lines_of({text.substr(0, cut), text.substr(cut)}), (std::vector<std::string>{"one", "two", "", "three"}))
        << cut;
  }
}

TEST(LineSplitter, SplitsEndlessLinesButForgetsWhatWasDrawnOver) {
  const std::string longest(journal::kLongestLine, 'a');
  EXPECT_EQ(lines_of({longest + "bc", "d\n"}), (std::vector<std::string>{longest, "bcd"}));
  std::vector<std::string> progress(5000, "                 12%\r");
  progress.emplace_back("done\n");
  const auto lines = lines_of(progress);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_LT(lines[0].size(), journal::kLongestLine + 100);
  std::string drawn;
  EXPECT_TRUE(visible_line(lines[0], drawn).starts_with("done"));
}

TEST(Errors, AreFoundAndHarmlessLinesAreNot) {
  for (const char* line :
       {"a.c:3: error: x", "FAILED tests/x.py::test_a", "make: *** [all] Error 1", "thread 'main' panicked at",
        "Traceback (most recent call last):", "sh: 1: foo: not found", "Segmentation fault (core dumped)",
        "rules.mk:3: *** missing separator.  Stop.", "slipway: trigger: unknown option --jbo"}) {
    EXPECT_TRUE(looks_like_error(line)) << line;
  }
  for (const char* line : {"ok 1", "100% tests passed, 0 tests failed out of 3", "gcc -Werror -c a.c", "# FAIL:  0",
                           "0 errors", "token: *** accepted", "using ***"}) {
    EXPECT_FALSE(looks_like_error(line)) << line;
  }
}

TEST(Commands, AreQuotedForAShell) {
  EXPECT_EQ(shell_quoted("a-b_c/d.e"), "a-b_c/d.e");
  EXPECT_EQ(shell_quoted("test (gcc, 17)"), "'test (gcc, 17)'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted(""), "''");
}

TEST(Commands, OfTriggersRunTheSameThing) {
  model::Triggered triggered;
  triggered.job = "deploy";
  triggered.json = R"({"jobs":[{"name":"other","run":"x"},{"job_name":"deploy","run":"./deploy.sh"}]})";
  EXPECT_EQ(command_for("slipway", triggered), "") << "it has variables, or waits for others";
  triggered.is_alone = true;
  EXPECT_EQ(command_for("slipway", triggered), "slipway run --job-command ./deploy.sh");
  triggered.image = "debian:12";
  EXPECT_EQ(command_for("slipway", triggered), "slipway run --job-command ./deploy.sh --image debian:12");
  triggered.file = ".slipway/jobs/deploy.yaml";
  EXPECT_EQ(command_for("slipway", triggered), "slipway run .slipway/jobs/deploy.yaml");
  triggered.reason = "no";
  EXPECT_EQ(command_for("slipway", triggered), "");
  EXPECT_EQ(asked_text(triggered), "deploy, which is refused: no");
  triggered.job.clear();
  EXPECT_EQ(asked_text(triggered), "without a name, which is refused: no");
  triggered.job = "deploy";
  triggered.reason.clear();
  triggered.accepted = true;
  triggered.as = "deploy (2)";
  EXPECT_EQ(command_for("slipway", triggered), "");
  EXPECT_EQ(asked_text(triggered), "deploy, which joins this run as deploy (2)");
}

}  // namespace
}  // namespace slipway::cli
