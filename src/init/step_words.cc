#include "init/step_words.h"

#include <string.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/text.h"

namespace slipway::init {

namespace {

constexpr std::size_t kTitleBytes = 200;

}  // namespace

std::string title_of(const model::StepSpec& step) {
  std::string title;
  if (const auto* argv = std::get_if<model::Argv>(&step.action)) {
    title = join(argv->words, " ");
  } else {
    for (const std::string_view line : split(std::get<model::Script>(step.action).text, '\n')) {
      if (trim(line).empty()) continue;
      title = std::string(trim(line));
      break;
    }
  }
  if (title.size() > kTitleBytes) title.resize(kTitleBytes);
  return title;
}

Result<std::vector<std::string>> argv_of(const model::StepSpec& step, const OwnDirectory& runtime,
                                         const std::string& name) {
  if (const auto* argv = std::get_if<model::Argv>(&step.action)) return argv->words;
  SW_CHECK(runtime.write(name, std::get<model::Script>(step.action).text, 0444));
  std::vector<std::string> argv = step.shell.empty() ? std::vector<std::string>{"sh", "-e"} : step.shell;
  argv.push_back(runtime.path_of(name));
  return argv;
}

std::string working_dir_of(const model::StepSpec& step, const std::string& workspace) {
  const std::string source = workspace + "/src";
  if (step.working_dir.empty()) return source;
  return step.working_dir.starts_with('/') ? step.working_dir : source + "/" + step.working_dir;
}

std::string explain(const StartFailure& failure) {
  const char* why = ::strerrordesc_np(failure.error_number);
  const std::string_view reason = why == nullptr ? "unknown error" : why;
  switch (failure.stage) {
    case StartFailure::Stage::cgroup: return fmt::format("its control group cannot be entered: {}", reason);
    case StartFailure::Stage::identity: return fmt::format("its user cannot be taken on: {}", reason);
    case StartFailure::Stage::working_dir: return fmt::format("its working directory cannot be entered: {}", reason);
    case StartFailure::Stage::filter: return fmt::format("its system call filter cannot be set: {}", reason);
    case StartFailure::Stage::program: break;
  }
  if (failure.error_number == ENOENT) {
    return "its program or shell was not found in this image (set `shell`, or install it)";
  }
  return fmt::format("its program or shell cannot be executed: {}", reason);
}

std::string explain_exit(int exit_code) {
  constexpr int kSignalBase = 128;
  if (exit_code > kSignalBase) {
    if (const char* name = ::sigabbrev_np(exit_code - kSignalBase); name != nullptr) {
      return fmt::format("exit code {} (SIG{})", exit_code, name);
    }
  }
  return fmt::format("exit code {}", exit_code);
}

}  // namespace slipway::init
