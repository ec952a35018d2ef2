#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "init/bundles.h"
#include "model/test_results.h"

namespace slipway::init {

/// JUnit files of a job: from what its steps left to checked test results, over three processes.
///  1. A helper child with the step's rights gathers the files (os/bundle.h): regular files alone, through no link,
///     kMostJunitBytes together. Being a copy of init it holds every secret, so it does not parse them.
///  2. It starts this program anew, `slipway read-junit`, with a clean memory, which takes itself under a filter that
///     leaves reading, writing and memory, and only then lets the XML library see a byte of it.
///  3. Init takes what that says for hostile: checks, masks, cuts.
inline constexpr std::uint64_t kMostJunitBytes = 64ULL << 20U;
inline constexpr std::uint64_t kMostJunitFiles = 1'000;

/// Step 1, within a helper child. `program`: the file of this program. `not_found`: no file matches.
Result<std::string> gather_junit(const BundleTask& files, const std::string& program);

/// Step 2: `slipway read-junit`, a bundle on stdin, the answer on stdout. The exit status.
int read_junit();

/// Step 3. `problems` are annotations: of files that were not read to their end.
struct JunitAnswer {
  std::vector<model::TestResult> results;
  std::vector<wire::payload::Annotation> problems;
};
Result<JunitAnswer> parse_junit_answer(std::string_view text);

}  // namespace slipway::init
