#include "init/command_end.h"

#include <string.h>

#include <cerrno>

#include <fmt/format.h>

namespace slipway::init {

namespace {

constexpr int kCannotBeExecuted = 126, kNotFound = 127, kSignalBase = 128;  // as shells have it

// Whole or not at all: a part of a secret would not be recognized where this is masked.
std::string shown(const std::string& name) {
  constexpr std::size_t kMost = 200;
  return name.size() > kMost ? fmt::format("of {} bytes", name.size()) : "`" + name + "`";
}

std::string explain(const StartFailure& failure) {
  const char* why = ::strerrordesc_np(failure.error_number);
  const std::string_view reason = why == nullptr ? "unknown error" : why;
  switch (failure.stage) {
    case StartFailure::Stage::cgroup: return fmt::format("its control group cannot be entered: {}", reason);
    case StartFailure::Stage::identity: return fmt::format("its user cannot be taken on: {}", reason);
    case StartFailure::Stage::working_dir:
      return fmt::format("its working directory {} cannot be entered: {}", shown(failure.names.working_dir), reason);
    case StartFailure::Stage::filter: return fmt::format("its system call filter cannot be set: {}", reason);
    case StartFailure::Stage::program: break;
  }
  const CommandNames& names = failure.names;
  const std::string what = fmt::format("its {} {}", names.is_script ? "shell" : "program", shown(names.program));
  if (failure.error_number != ENOENT) return fmt::format("{} cannot be executed: {}", what, reason);
  if (names.is_script) return what + " was not found in this image (set `shell`, or install it)";
  // Of a script that is executed itself the kernel says the same when the interpreter in its first line is not there.
  const bool may_be_script = names.program.find('/') != std::string::npos;
  return fmt::format("{}{} was not found in this image", what, may_be_script ? ", or the interpreter it names," : "");
}

std::string explain_exit(int exit_code) {
  if (exit_code > kSignalBase) {
    if (const char* name = ::sigabbrev_np(exit_code - kSignalBase); name != nullptr) {
      return fmt::format("exit code {} (SIG{})", exit_code, name);
    }
  }
  return fmt::format("exit code {}", exit_code);
}

}  // namespace

CommandEnd end_of(int exit_code, const std::optional<StartFailure>& failure, std::uint64_t out_of_memory_kills) {
  if (failure) {
    const bool is_program = failure->stage == StartFailure::Stage::program;
    const bool by_author = is_program || failure->stage == StartFailure::Stage::working_dir;
    const bool is_there = is_program && failure->error_number != ENOENT;
    return {by_author ? model::Outcome::failed : model::Outcome::infra_failed, is_there ? kCannotBeExecuted : kNotFound,
            explain(*failure), true};
  }
  if (exit_code == 0) return {model::Outcome::succeeded, 0, {}, false};
  if (out_of_memory_kills > 0) {
    return {model::Outcome::out_of_memory, exit_code, "the kernel ended it: it used more memory than the job may have",
            false};
  }
  return {model::Outcome::failed, exit_code, explain_exit(exit_code), false};
}

CommandEnd end_of(const Error& not_started) {
  const bool by_author = not_started.kind == ErrorKind::invalid || not_started.kind == ErrorKind::not_found;
  return {by_author ? model::Outcome::failed : model::Outcome::infra_failed, 0, not_started.what, true};
}

}  // namespace slipway::init
