// slipway-init: one static program, in several places.
//   slipway-init launcher STAGE PATH...   on the host: makes sandboxes (sandbox/native/launcher.h)
//   slipway-init confine -- TOOL...      on the host: a tool that reads what strangers wrote (os/confine.h)
//   slipway-init docker                   the first process of a container (sandbox/docker/guest.h)
//   ... and in each of them        its first process, which runs the job (init/entry.h)
//   slipway read-junit             inside a job: reads files that the job left (init/junit_files.h)
//   slipway COMMAND ...            inside a job: the command that steps call (init/client.h)
#include <fmt/format.h>

#include "init/client.h"
#include "init/entry.h"
#include "init/junit_files.h"
#include "os/confine.h"
#include "sandbox/docker/guest.h"
#include "sandbox/native/launcher.h"

namespace {

constexpr int kUsage = 2;

int run(const std::vector<std::string>& arguments) {
  using namespace slipway;
  if (arguments.size() >= 2 && arguments[0] == "launcher") {
    return sandbox::native::run_launcher(arguments[1], {arguments.begin() + 2, arguments.end()}, &init::run);
  }
  if (!arguments.empty() && arguments[0] == "confine") return os::run_confine({arguments.begin() + 1, arguments.end()});
  if (arguments.size() == 1 && arguments[0] == "read-junit") return init::read_junit();
  if (arguments.size() == 1 && arguments[0] == "docker") return sandbox::docker::run_guest(&init::run);
  if (arguments.empty()) {
    fmt::print(stderr, "{}", init::kClientUsage);
    return kUsage;
  }
  return init::client_main(arguments);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + std::min(argc, 1), argv + argc});
  } catch (const std::exception& error) {  // out of memory, in practice
    fmt::print(stderr, "slipway-init: {}\n", error.what());
    return 1;
  }
}
