#include "main/doctor.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

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

Check check_sdk() {
  const std::filesystem::path sdk = find_sdk();
  if (sdk.empty()) {
    return {"sdk", Health::degraded, "not found: jobs cannot `import slipway` or include slipway.hpp",
            "install the directory `sdk` of the build, as docs/install.md says"};
  }
  return {"sdk", Health::good, sdk.string(), ""};
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

constexpr const char* kDelegate = "run slipway below `systemd-run --user --scope -p Delegate=yes`, or as root";

void check_limits(const sandbox::Capabilities& can, std::vector<Check>& checks) {
  const bool is_root = ::geteuid() == 0;
  const auto either = [&](const char* name, bool fine, std::string detail, std::string missing, std::string hint) {
    checks.push_back({name, fine ? Health::good : Health::degraded, fine ? std::move(detail) : std::move(missing),
                      fine ? "" : std::move(hint)});
  };
  const bool by_docker = can.name == "docker";
  const std::string groups_hint = by_docker ? "it is the Docker daemon that would hold it"
                                  : is_root ? "mount the control group hierarchy writable"
                                            : kDelegate;
  either("control groups", !can.groups.empty(), can.groups, "none can be made", groups_hint);
  const auto limit = [&](const char* name, bool held) {
    either(name, held, "held", "cannot be held here", can.groups.empty() ? "see control groups" : groups_hint);
  };
  limit("limit: memory", can.limits.memory);
  limit("limit: cpu", can.limits.cpus);
  limit("limit: pids", can.limits.pids);
  either("limit: disk", can.limits.disk, can.limits.disk_how, can.limits.disk_how,
         by_docker ? "no storage driver of Docker's holds all that a job writes"
         : is_root ? "install the package `btrfs-progs`, and allow loop devices"
                   : "larger ones are limited for root only");
  either("figures of steps", can.limits.step_figures, "from the control group", "processor time only", "");
  either("figures of I/O", can.limits.io_figures, "from the control group", "not known",
         by_docker ? ""
         : is_root ? "the kernel's I/O controller is not available here"
                   : kDelegate);
  either("user ids", can.many_user_ids, can.user_ids, can.user_ids,
         "install the package `uidmap` and give your user 65,536 ids in /etc/subuid and /etc/subgid");
  either("network: nat", can.network_nat, "available, by " + can.network_nat_by, "not available",
         is_root ? "install the package `nftables`; network: none always works"
                 : "install the package `passt`; network: none always works");
  either("images by name", can.named_images, "available", "not available", "install the package `skopeo`");
  for (const std::string& note : can.notes) checks.push_back({"note", Health::note, note, ""});
}

// A sandbox needs an image, and which is the user's to say: what the daemon says of itself has to do.
std::vector<Check> check_docker(const cli::Settings& settings, Log& log) {
  const bool chosen = settings.backend == "docker";
  auto docker = make_backend("docker", settings, log);
  if (!docker) {
    return {{"docker", chosen ? Health::broken : Health::note,
             docker.error().what + (chosen ? "" : " (needed for `--backend docker` alone)"), ""}};
  }
  sandbox::Capabilities can = (*docker)->capabilities();
  std::vector<Check> checks = {{"docker", Health::good, can.notes.front(), ""}};
  can.notes.erase(can.notes.begin());
  if (chosen) check_limits(can, checks);
  return checks;
}

}  // namespace

std::vector<cli::Check> examine_machine(const cli::Settings& settings) {
  std::vector<Check> checks = {check_kernel(), check_program(), check_sdk(), check_state(settings), check_git()};
  StderrLog log(LogLevel::error);
  const std::vector<Check> docker = check_docker(settings, log);
  checks.insert(checks.end(), docker.begin(), docker.end());
  if (settings.backend == "docker") return checks;
  auto backend = make_backend(settings.backend, settings, log);
  if (!backend) {
    checks.push_back({"backend " + settings.backend, Health::broken, backend.error().what, ""});
    return checks;
  }
  checks.push_back(check_sandbox(**backend));
  if (settings.backend != "fake") check_limits((*backend)->capabilities(), checks);
  return checks;
}

}  // namespace slipway::program
