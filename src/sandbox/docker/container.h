#pragma once

#include <filesystem>
#include <string>

#include "sandbox/sandbox.h"

namespace slipway::sandbox::docker {

/// Labels by which a later start finds what a killed one left.
inline constexpr const char* kSandboxLabel = "slipway.sandbox";  ///< the sandbox's id
inline constexpr const char* kStateLabel = "slipway.state";      ///< the state directory that its directory lies in

/// What the daemon can hold containers to, of its /info.
struct DaemonFacts {
  std::string version, storage_driver, backing_file_system;
  int cgroup_version = 1;
  double cpus = 1;
  bool memory_limit = false, swap_limit = false, pids_limit = false, cpu_quota = false;
  bool remaps_users = false, rootless = false;
};
Result<DaemonFacts> read_facts(std::string_view info_json);

/// Where the container's own things come from.
struct ContainerPlan {
  std::filesystem::path leash;         ///< a listening socket
  std::filesystem::path init_program;  ///< static
  std::filesystem::path state_dir;
  std::string network;  ///< as `NetworkMode` has it
};

/// The body of POST /containers/create.
std::string container_body(const SandboxSpec& spec, const ContainerPlan& plan, const DaemonFacts& facts);
/// The same, of one that is never started: files of `image` are read from it.
std::string body_to_look_into(const std::string& image, const SandboxId& id, const std::filesystem::path& state_dir);

}  // namespace slipway::sandbox::docker
