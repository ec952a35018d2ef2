#include "model/test_results.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace slipway::model {

namespace {

std::string flaky_because(const std::vector<TestOccurrence>& history) {
  struct Seen {
    bool passed = false, failed = false;
  };
  std::map<std::string, Seen> by_source;
  int turns = 0;
  const TestOccurrence* newer = nullptr;
  for (const TestOccurrence& one : history) {
    if (one.outcome == TestOutcome::skipped) continue;
    const bool failed = one.outcome == TestOutcome::failed;
    // All attempts of one run have the same source, whatever that was.
    for (const std::string& source : {fmt::format("run {}", one.run), one.commit}) {
      if (source.empty()) continue;
      Seen& seen = by_source[source];
      (failed ? seen.failed : seen.passed) = true;
      if (!seen.passed || !seen.failed) continue;
      return source == one.commit ? "passed and failed on the same commit" : "passed and failed in the same run";
    }
    if (newer != nullptr && newer->outcome != one.outcome) ++turns;
    newer = &one;
  }
  if (turns >= kFlakyTurns) return fmt::format("changed {} times in the last {} results", turns, history.size());
  return {};
}

}  // namespace

std::string_view to_string(TestOutcome outcome) {
  switch (outcome) {
    case TestOutcome::passed: return "passed";
    case TestOutcome::failed: return "failed";
    case TestOutcome::skipped: return "skipped";
  }
  return "failed";
}

TestVerdict judge(const std::vector<TestOccurrence>& history) {
  TestVerdict verdict;
  if (history.empty()) return verdict;
  const std::vector<TestOccurrence> known(
      history.begin(), history.begin() + static_cast<std::ptrdiff_t>(std::min(history.size(), kTestHistory)));
  verdict.flaky = flaky_because(known);
  const TestOccurrence& now = known.front();
  if (now.outcome != TestOutcome::failed) return verdict;
  const auto is_earlier = [&](const TestOccurrence& one) {
    return one.run != now.run && one.outcome != TestOutcome::skipped;
  };
  auto last = std::ranges::find_if(
      known, [&](const TestOccurrence& one) { return is_earlier(one) && one.branch == now.branch; });
  if (last == known.end()) last = std::ranges::find_if(known, is_earlier);
  verdict.is_new_failure = last == known.end() || last->outcome != TestOutcome::failed;
  return verdict;
}

void TestCounts::add(TestOutcome outcome, const TestVerdict& verdict) {
  switch (outcome) {
    case TestOutcome::passed: ++passed; break;
    case TestOutcome::failed: ++failed; break;
    case TestOutcome::skipped: ++skipped; break;
  }
  if (verdict.is_new_failure) ++new_failures;
  if (!verdict.flaky.empty()) ++flaky;
}

std::string counts_text(const TestCounts& counts) {
  std::string text = fmt::format("{} passed", counts.passed);
  if (counts.failed > 0) text += fmt::format(", {} failed", counts.failed);
  if (counts.new_failures > 0) text += fmt::format(" ({} new)", counts.new_failures);
  if (counts.skipped > 0) text += fmt::format(", {} skipped", counts.skipped);
  if (counts.flaky > 0) text += fmt::format(", {} flaky", counts.flaky);
  return text;
}

}  // namespace slipway::model
