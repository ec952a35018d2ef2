#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

/// What a job's tests said, and what earlier runs say about that. Pure.
namespace slipway::model {

enum class TestOutcome { passed, failed, skipped };
std::string_view to_string(TestOutcome outcome);

/// One test case of one attempt.
struct TestResult {
  std::string suite;  ///< class or file, `parser.Numbers`; may be empty
  std::string name;   ///< unique within suite and attempt
  TestOutcome outcome = TestOutcome::passed;
  Duration took{};
  std::string message;  ///< of one that failed or was skipped: the reason, one line or few
  std::string text;     ///< of one that failed: trace and captured output
};

/// How a test came out once, in this run or before.
struct TestOccurrence {
  std::int64_t run = 0;  ///< grows from run to run
  int attempt = 1;
  TestOutcome outcome = TestOutcome::passed;
  std::string branch;
  std::string commit;  ///< that was tested as it is; empty: a working tree, which may hold anything
};

struct TestVerdict {
  bool is_new_failure = false;
  std::string flaky;  ///< why it is; empty: it is not
};

inline constexpr std::size_t kTestHistory = 20;  ///< occurrences that a verdict is made from
inline constexpr int kFlakyTurns = 3;            ///< changes between passed and failed that no one commit explains

/// `history`: newest first, beginning with this run's last attempt; what is behind the first kTestHistory is ignored.
///
/// New: it failed, and did not when it was last run: on the same branch, or anywhere where this branch has no earlier
/// result. Flaky: passed and failed on the same commit (a retry of the same job included), or changed kFlakyTurns
/// times.
TestVerdict judge(const std::vector<TestOccurrence>& history);

struct TestCounts {
  std::uint64_t passed = 0, failed = 0, skipped = 0, new_failures = 0, flaky = 0;
  std::uint64_t total() const { return passed + failed + skipped; }
  void add(TestOutcome outcome, const TestVerdict& verdict);
};
/// `812 passed, 3 failed (1 new), 2 skipped, 2 flaky`.
std::string counts_text(const TestCounts& counts);

}  // namespace slipway::model
