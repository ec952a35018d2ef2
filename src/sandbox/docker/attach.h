#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "os/fd.h"
#include "os/guarded.h"
#include "sandbox/sandbox.h"

/// Mounts of a sandbox's directories, made on the host as native makes them and put into a container's mount namespace
/// from outside: nothing is copied, and nothing remains of them when the container ends. For root on the daemon's
/// kernel.
namespace slipway::sandbox::docker {

struct MadeMount {
  os::Fd mount;  ///< detached
  std::string inside;
};

/// Any thread.
class MountMaker {
 public:
  /// `layers`: a new directory for what the sandbox writes, on a file system that overlays can write to. Inside, files
  /// of `Mount::owner` belong to `job_id`.
  Result<std::vector<MadeMount>> make(const std::vector<Mount>& mounts, std::uint32_t job_id,
                                      const std::filesystem::path& layers);

 private:
  Result<os::Fd> owner_namespace(const Mount& mount, std::uint32_t appears);

  os::Guarded<std::map<std::string, os::Fd>> namespaces_;  // by the map's text
};

/// Puts them into the mount namespace of `process`, by its paths. Every mount point is there already.
Result<void> attach(const std::vector<MadeMount>& mounts, pid_t process);

}  // namespace slipway::sandbox::docker
