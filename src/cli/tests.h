#pragma once

#include "cli/history.h"
#include "cli/options.h"
#include "cli/runs.h"

namespace slipway::cli {

/// What the tests of a run said, for `runs tests`: counts, failures with their texts, flaky ones and why.
Result<std::string> show_tests(const RunsTestsOptions& options, RunHistory& history, const RunsStyle& style);

model::TestCounts counts_of(const std::vector<TestEntry>& tests);
/// `parser.Numbers > adds`.
std::string test_name(const model::TestResult& test);

}  // namespace slipway::cli
