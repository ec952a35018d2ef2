// Any bytes as a JUnit file, and as lines that may be marks of groups and annotations, whatever the pieces they come
// in: what is read keeps its limits, and no byte of a stream is lost.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "init/command_lines.h"
#include "init/junit.h"
#include "wire/log_marks.h"

using namespace slipway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const init::JunitLimits limits{.cases = 8, .name = 16, .message = 32, .text = 64, .depth = 8};
  std::vector<model::TestResult> results;
  (void)init::parse_junit(input, limits, results);
  if (results.size() > limits.cases) std::abort();
  for (const model::TestResult& one : results) {
    if (one.name.empty() || one.name.size() > limits.name || one.message.size() > 300) std::abort();
  }
  wire::Folds folds;
  for (const std::string_view line : split(input, '\n')) {
    folds.see(line, line.size() % 3 == 0);
    if (folds.open().size() > wire::Folds::kDeepest) std::abort();
  }
  std::string back;
  init::CommandLines commands;
  const auto keep = [&](std::string_view bytes) { back += bytes; };
  const auto pass = [](std::string_view line) {
    if (!line.starts_with(':')) std::abort();
  };
  for (std::string_view rest = input; !rest.empty();) {
    const std::size_t piece = std::min<std::size_t>(rest.size(), 1 + static_cast<unsigned char>(rest[0]) % 17);
    commands.feed(rest.substr(0, piece), keep, pass);
    rest.remove_prefix(piece);
  }
  commands.finish(keep, pass);
  if (back != input) std::abort();
  return 0;
}
