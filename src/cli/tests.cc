#include "cli/tests.h"

#include <algorithm>

#include "base/text.h"
#include "cli/json_writer.h"
#include "cli/terminal_text.h"

namespace slipway::cli {

namespace {

using Which = RunsTestsOptions::Which;

constexpr std::size_t kSlowest = 20;
constexpr std::size_t kTextLines = 20;  // of a failure

std::string shown(std::string_view text) { return printable(text, Colour::strip); }

bool is_wanted(const TestEntry& test, Which which) {
  const bool failed = test.result.outcome == model::TestOutcome::failed;
  const bool flaky = !test.verdict.flaky.empty();
  switch (which) {
    case Which::all:
    case Which::slowest: return true;
    case Which::failed: return failed;
    case Which::flaky: return flaky;
    case Which::summary: return failed || flaky;
  }
  return true;
}

std::vector<TestEntry> chosen(std::vector<TestEntry> tests, Which which) {
  std::erase_if(tests, [&](const TestEntry& test) { return !is_wanted(test, which); });
  if (which == Which::slowest) {
    std::ranges::stable_sort(tests, std::ranges::greater(), [](const TestEntry& test) { return test.result.took; });
    tests.resize(std::min(tests.size(), kSlowest));
  } else {
    // What is new is what somebody looks for.
    std::ranges::stable_sort(tests, std::ranges::less(), [](const TestEntry& test) {
      if (test.verdict.is_new_failure) return 0;
      return test.result.outcome == model::TestOutcome::failed ? 1 : 2;
    });
  }
  return tests;
}

Mark mark_of(const TestEntry& test) {
  switch (test.result.outcome) {
    case model::TestOutcome::failed: return Mark::failed;
    case model::TestOutcome::skipped: return Mark::skipped;
    case model::TestOutcome::passed: break;
  }
  return test.verdict.flaky.empty() ? Mark::succeeded : Mark::allowed_failure;
}

void append_failure(std::string& text, const model::TestResult& test, bool colour) {
  if (!test.message.empty()) {
    std::string message = test.message;
    std::ranges::replace(message, '\n', ' ');
    text += fmt::format("      {}\n", shown(message));
  }
  const std::vector<std::string_view> lines = split(test.text, '\n');
  for (std::size_t i = 0; i < lines.size() && !test.text.empty(); ++i) {
    if (i == kTextLines) {
      text += fmt::format("      {}| ... and {} more: --json{}\n", dim(colour), counted(lines.size() - i, "line"),
                          reset(colour));
      break;
    }
    text += fmt::format("      {}|{} {}\n", dim(colour), reset(colour), shown(lines[i]));
  }
}

void append_test(std::string& text, const TestEntry& test, bool colour) {
  text +=
      fmt::format("  {} {}{}{}  {}{}, {}{}", symbol(mark_of(test), colour), bold(colour), shown(test_name(test.result)),
                  reset(colour), dim(colour), shown(test.job), to_short_text(test.result.took), reset(colour));
  if (test.verdict.is_new_failure) text += "  new";
  if (!test.verdict.flaky.empty()) text += fmt::format("  flaky: {}", test.verdict.flaky);
  text += '\n';
  if (test.result.outcome == model::TestOutcome::failed) append_failure(text, test.result, colour);
}

std::string tests_json(const RunEntry& run, const model::TestCounts& counts, const std::vector<TestEntry>& tests) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("run", run.id.value).field("number", run.number).field("workflow", run.workflow);
  tests_fields(json, counts);
  json.begin_array("tests");
  for (const TestEntry& test : tests) {
    json.begin_object().field("job", test.job).field("suite", test.result.suite).field("name", test.result.name);
    json.field("outcome", model::to_string(test.result.outcome));
    json.field("duration_ms", static_cast<std::int64_t>(test.result.took.count() / 1000));
    if (!test.result.message.empty()) json.field("message", test.result.message);
    if (!test.result.text.empty()) json.field("text", test.result.text);
    json.field("new_failure", test.verdict.is_new_failure).field("flaky", !test.verdict.flaky.empty());
    if (!test.verdict.flaky.empty()) json.field("flaky_because", test.verdict.flaky);
    json.end_object();
  }
  json.end_array().end_object();
  return text + "\n";
}

}  // namespace

model::TestCounts counts_of(const std::vector<TestEntry>& tests) {
  model::TestCounts counts;
  for (const TestEntry& test : tests) counts.add(test.result.outcome, test.verdict);
  return counts;
}

std::string test_name(const model::TestResult& test) {
  return test.suite.empty() ? test.name : fmt::format("{} > {}", test.suite, test.name);
}

Result<std::string> show_tests(const RunsTestsOptions& options, RunHistory& history, const RunsStyle& style) {
  SW_TRY(const RunEntry run, history.find(options.run));
  SW_TRY(std::vector<TestEntry> tests, history.tests(run.id));
  const model::TestCounts counts = counts_of(tests);
  // A program that asks for no kind gets all.
  const Which which = style.json && options.which == Which::summary ? Which::all : options.which;
  tests = chosen(std::move(tests), which);
  if (style.json) return tests_json(run, counts, tests);
  if (counts.total() == 0) {
    return fmt::format("Run {} has no test results. A job's `tests` names the files that have them.\n", run.id.value);
  }
  std::string text =
      fmt::format("{} run {} (#{}): {}\n", shown(run.workflow), run.id.value, run.number, model::counts_text(counts));
  if (!tests.empty()) text += '\n';
  for (const TestEntry& test : tests) append_test(text, test, style.colour);
  return text;
}

}  // namespace slipway::cli
