#include "main/doctor.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <cstdio>

#include <fmt/format.h>

#include "base/text.h"
#include "main/backends.h"
#include "os/files.h"
#include "os/subprocess.h"

namespace slipway::program {

namespace {

using cli::Check;
using cli::Health;

constexpr auto kStartLimit = std::chrono::seconds(20);
constexpr int kOldestMajor = 5, kOldestMinor = 12;  // mount_setattr with idmapped mounts

Check check_kernel() {
  utsname system{};
  ::uname(&system);
  int major = 0, minor = 0;
  std::sscanf(system.release, "%d.%d", &major, &minor);
  const bool fine = major > kOldestMajor || (major == kOldestMajor && minor >= kOldestMinor);
  return {"kernel", fine ? Health::good : Health::broken, std::string(system.sysname) + " " + system.release,
          fine ? "" : "Linux 5.12 or newer is needed"};
}

Check check_program() {
  const auto init = find_init_program();
  if (!init) return {"slipway-init", Health::broken, init.error().what, "install it beside slipway"};
  return {"slipway-init", Health::good, init->string(), ""};
}

Check check_state(const cli::Settings& settings) {
  if (const auto made = os::make_directories(settings.state_dir, 0700); !made) {
    return {"state directory", Health::broken, made.error().what, "set state_dir to a directory of yours"};
  }
  struct statvfs disk{};
  if (::statvfs(settings.state_dir.c_str(), &disk) != 0) {
    return {"state directory", Health::broken, settings.state_dir.string() + " cannot be looked at", ""};
  }
  const std::uint64_t free_bytes = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  constexpr std::uint64_t kLittle = 2ULL << 30U;
  return {"state directory", free_bytes < kLittle ? Health::degraded : Health::good,
          fmt::format("{}, {} free", settings.state_dir.string(), cli::size_text(free_bytes)),
          free_bytes < kLittle ? "make room: slipway runs rm --older-than 30d" : ""};
}

Check check_git() {
  const auto version = os::run_command({.argv = {"git", "--version"}}, 4096, os::within(kStartLimit));
  if (!version || version->exit_code != 0) {
    return {"git", Health::degraded, "not found", "install git: needed for --commit, --git-url and path filters"};
  }
  return {"git", Health::good, std::string(trim(version->out)), ""};
}

Check check_sandbox(sandbox::SandboxBackend& backend) {
  sandbox::SandboxSpec spec;
  spec.id = SandboxId(new_id());
  spec.network = model::Network::none;
  const auto before = os::Clock::now();
  auto started = backend.start(spec, os::within(kStartLimit));
  const auto took = std::chrono::duration_cast<Duration>(os::Clock::now() - before);
  if (!started) return {"sandbox", Health::broken, started.error().what, "see docs/troubleshooting.md"};
  started->leash.reset();
  if (const auto gone = backend.destroy(spec.id, os::within(kStartLimit)); !gone) {
    return {"sandbox", Health::broken, gone.error().what, ""};
  }
  return {"sandbox", Health::good, fmt::format("starts in {}.{} ms", took.count() / 1000, took.count() / 100 % 10), ""};
}

void check_limits(const sandbox::Capabilities& can, std::vector<Check>& checks) {
  const auto limit = [&](const char* name, bool held) {
    checks.push_back({std::string("limit: ") + name, held ? Health::good : Health::degraded,
                      held ? "held" : "cannot be held here",
                      held ? "" : "run as root, or delegate cgroup v2 controllers to your user"});
  };
  limit("memory", can.limits.memory);
  limit("cpu", can.limits.cpus);
  limit("pids", can.limits.pids);
  checks.push_back({"limit: disk", can.limits.disk == "none" ? Health::degraded : Health::good, can.limits.disk, ""});
  checks.push_back({"figures of steps", can.limits.step_figures ? Health::good : Health::degraded,
                    can.limits.step_figures ? "from the cgroup" : "processor time only", ""});
  checks.push_back({"network: nat", can.network_nat ? Health::good : Health::degraded,
                    can.network_nat ? "available" : "not available",
                    can.network_nat ? "" : "it needs root and nftables; network: none always works"});
  for (const std::string& note : can.notes) checks.push_back({"note", Health::good, note, ""});
}

}  // namespace

std::vector<cli::Check> examine_machine(const cli::Settings& settings) {
  std::vector<Check> checks = {check_kernel(), check_program(), check_state(settings), check_git()};
  StderrLog log(LogLevel::error);
  auto backend = make_backend(settings.backend, settings, log);
  if (!backend) {
    checks.push_back({"backend " + settings.backend, Health::broken, backend.error().what, ""});
    return checks;
  }
  checks.push_back(check_sandbox(**backend));
  check_limits((*backend)->capabilities(), checks);
  return checks;
}

}  // namespace slipway::program
