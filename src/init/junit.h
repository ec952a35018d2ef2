#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/test_results.h"

namespace slipway::init {

/// Why a file is not read to its end.
struct JunitProblem {
  std::string message;
  int line = 0;
};

/// What is kept of a job's test results; what is longer is cut, what is more is left out and said.
struct JunitLimits {
  std::size_t cases = 20'000;
  std::size_t name = 1'000, message = 4'000, first_line = 300, text = 16'000;  ///< bytes each
  std::size_t depth = 64;                                                      ///< of elements
};

/// The test cases of a JUnit file (`testsuites` or `testsuite` at its root), appended to `results`; those before a
/// problem stay. Malformed XML and files of another kind are problems, and so is any document type declaration: nothing
/// else can define entities, so there are no entity bombs and nothing outside is ever opened.
std::optional<JunitProblem> parse_junit(std::string_view xml, const JunitLimits& limits,
                                        std::vector<model::TestResult>& results);

}  // namespace slipway::init
