#pragma once

#include <cstdint>
#include <functional>

#include "base/error.h"

/// Files shown as another user's where the kernel has no idmapped mounts of their file system (tmpfs before Linux 6.3,
/// NFS, FUSE): an overlay on them takes the other owner of each file into its own layer.
namespace slipway::sandbox::native {

/// What a host id is shown as.
struct Owners {
  std::function<std::uint32_t(std::uint32_t)> user, group;
};

/// Gives all that the overlay at `root` shows to its owners. With `metacopy` a file costs an inode of the layer, not
/// its data. `exhausted`: more than a million files, or too deep.
Result<void> give_to_owners(int root, const Owners& owners);

}  // namespace slipway::sandbox::native
