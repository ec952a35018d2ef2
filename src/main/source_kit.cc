#include "main/source_kit.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "main/backends.h"
#include "os/call_limit.h"
#include "source/git_source.h"
#include "source/hg_source.h"
#include "source/program_source.h"
#include "source/s3_source.h"
#include "source/svn_source.h"

namespace slipway::program {

namespace {

// A program that is missing is told of when it is needed.
std::filesystem::path beside_init(const char* name) {
  const auto init = find_init_program();
  return init ? init->parent_path() / name : std::filesystem::path(name);
}

source::SizeLimit size_limit(const cli::Settings& settings) { return {.bytes = settings.source_limit_bytes}; }

source::S3Account find_s3_account() {
  std::map<std::string, std::string> environment;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view variable = *at;
    if (const std::size_t equals = variable.find('=');
        variable.starts_with("AWS_") && equals != std::string_view::npos) {
      environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
    }
  }
  const char* home = std::getenv("HOME");
  return source::s3_account(environment, home == nullptr ? "/" : home);
}

}  // namespace

SourceKit::SourceKit(const cli::Settings& settings, Progress progress)
    : telling_(progress == Progress::told && ::isatty(STDERR_FILENO) == 1),
      settings_(settings),
      checkouts_(settings.state_dir / "source/checkouts"),
      archives_(settings.state_dir / "source/downloads", beside_init("slipway-unpack"), size_limit(settings),
                checkouts_) {
  const source::SizeLimit most = size_limit(settings);
  const auto told = [this](std::string_view tool, std::string_view line) { tell(tool, line); };
  // Without slipway-init the first fetch says so; a job on a directory needs none.
  runner_ = settings.source_confine ? source::make_confined_runner(beside_init("slipway-init"), most, told)
                                    : source::make_plain_runner(most, told);
  const std::filesystem::path mirrors = settings.state_dir / "source/mirrors";
  sources_.add(std::make_unique<source::DirectorySource>());
  sources_.add(std::make_unique<source::GitSource>(mirrors, checkouts_, *runner_));
  sources_.add(std::make_unique<source::HgSource>(mirrors, checkouts_, *runner_));
  sources_.add(std::make_unique<source::SvnSource>(checkouts_, *runner_));
  sources_.add(std::make_unique<source::ArchiveSource>(archives_, *runner_));
  sources_.add(std::make_unique<source::S3Source>(find_s3_account, archives_, checkouts_, *runner_, most));
  sources_.find_others_by([this](const std::string& kind) { return find_program(kind); });
}

// What the operator names comes before what happens to be in PATH.
std::unique_ptr<source::Source> SourceKit::find_program(const std::string& kind) const {
  std::filesystem::path program;
  for (const std::string& named : settings_.source_programs) {
    if (std::filesystem::path(named).filename() == "slipway-source-" + kind) program = named;
  }
  const char* path = std::getenv("PATH");
  if (program.empty() && path != nullptr) program = source::find_source_program(kind, path);
  if (program.empty()) return nullptr;
  return std::make_unique<source::ProgramSource>(
      kind, program,
      std::vector<std::filesystem::path>(settings_.source_readable.begin(), settings_.source_readable.end()),
      checkouts_, *runner_);
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
