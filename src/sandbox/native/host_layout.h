#pragma once

#include <string>
#include <utility>
#include <vector>

/// What the launcher learns about the host once, for `image: host` and for masking.
namespace slipway::sandbox::native {

struct HostLayout {
  /// Directories of the allow-list, each shown by an overlay of its own, parents before what is mounted in them.
  std::vector<std::string> shown;
  /// Links at the top, as the host has them: {"/bin", "usr/bin"}.
  std::vector<std::pair<std::string, std::string>> links;
  /// Below /proc and /sys: what Docker hides and any user could read here.
  std::vector<std::string> masked_files, masked_directories;
  std::string passwd, group;  ///< with an entry for the runner
  std::string self;           ///< path of this program, for the `slipway` command inside
};

/// `host_paths`: the allow-list of directories, absolute; what is not there is left out.
HostLayout read_host_layout(const std::vector<std::string>& host_paths);

/// The text of /etc/passwd or /etc/group with the runner's entry: first, so that its id has its name whoever else has
/// that id, and instead of another `runner`.
std::string with_runner(std::string_view text, const char* entry);
inline constexpr const char* kRunnerPasswd = "runner:x:1001:1001:Slipway runner:/home/runner:/bin/sh";
inline constexpr const char* kRunnerGroup = "runner:x:1001:";

}  // namespace slipway::sandbox::native
