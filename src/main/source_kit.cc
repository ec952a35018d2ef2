#include "main/source_kit.h"

#include <unistd.h>

#include <cstdio>

#include <fmt/format.h>

#include "main/backends.h"
#include "os/call_limit.h"
#include "source/git_source.h"

namespace slipway::program {

SourceKit::SourceKit(const cli::Settings& settings, Progress progress)
    : telling_(progress == Progress::told && ::isatty(STDERR_FILENO) == 1),
      checkouts_(settings.state_dir / "source/checkouts") {
  const source::SizeLimit most{.bytes = settings.source_limit_bytes};
  const auto told = [this](std::string_view tool, std::string_view line) { tell(tool, line); };
  // Without slipway-init the first fetch says so; a job on a directory needs none.
  runner_ = settings.source_confine
                ? source::make_confined_runner(find_init_program().value_or("slipway-init"), most, told)
                : source::make_plain_runner(most, told);
  const std::filesystem::path mirrors = settings.state_dir / "source/mirrors";
  sources_.add(std::make_unique<source::DirectorySource>());
  sources_.add(std::make_unique<source::GitSource>(mirrors, checkouts_, *runner_));
}

void SourceKit::tell(std::string_view tool, std::string_view line) {
  constexpr std::int64_t kEveryMs = 1000;
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::milliseconds>(os::Clock::now().time_since_epoch()).count();
  std::int64_t last = told_at_ms_;
  if (!telling_ || now - last < kEveryMs || !told_at_ms_.compare_exchange_strong(last, now)) return;
  std::fputs(fmt::format("slipway: {}: {}\n", tool, line).c_str(), stderr);
}

}  // namespace slipway::program
