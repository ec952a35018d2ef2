#include <sys/resource.h>

#include <cstdio>
#include <exception>
#include <string>

#include "base/text.h"
#include "cli/exit_codes.h"
#include "main/commands.h"

extern char** environ;  // POSIX

namespace slipway::program {
namespace {

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

// Each job that runs takes a few, and some take many.
void allow_many_descriptors() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

int run_program(const std::vector<std::string>& arguments) {
  const auto invocation = cli::parse_arguments(arguments);
  if (!invocation) {
    std::fputs(("slipway: " + invocation.error().what + "\n").c_str(), stderr);
    return cli::kExitUsage;
  }
  if (const auto* text = std::get_if<cli::ShowText>(&invocation->command)) {
    std::fputs(text->text.c_str(), stdout);
    return std::fflush(stdout) == 0 ? cli::kExitSucceeded : cli::kExitFailed;
  }
  allow_many_descriptors();
  const auto signals = SignalWatch::start();
  if (!signals) {
    std::fputs(("slipway: " + signals.error().what + "\n").c_str(), stderr);
    return cli::kExitInfrastructure;
  }
  return carry_out(*invocation, environment(), **signals);
}

}  // namespace
}  // namespace slipway::program

int main(int argc, char** argv) {
  try {
    return slipway::program::run_program({argv + 1, argv + argc});
  } catch (const std::exception& problem) {  // out of memory, or a bug in a library
    std::fprintf(stderr, "slipway: %s\n", problem.what());
    return slipway::cli::kExitInfrastructure;
  }
}
