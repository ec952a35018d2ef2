#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sandbox/identity_files.h"

/// What the launcher learns about the host once, for `image: host` and for masking.
namespace slipway::sandbox::native {

struct HostLayout {
  /// Directories of the allow-list, each shown by an overlay of its own, parents before what is mounted in them.
  std::vector<std::string> shown;
  /// Links at the top, as the host has them: {"/bin", "usr/bin"}.
  std::vector<std::pair<std::string, std::string>> links;
  /// Below /proc and /sys: what Docker hides and any user could read here.
  std::vector<std::string> masked_files, masked_directories;
  IdentityFiles identity;
  std::string self;  ///< path of this program, for the `slipway` command inside
};

/// `host_paths`: the allow-list of directories, absolute; what is not there is left out.
HostLayout read_host_layout(const std::vector<std::string>& host_paths);

}  // namespace slipway::sandbox::native
