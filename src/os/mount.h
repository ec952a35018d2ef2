#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "os/fd.h"

/// The new mount calls (fsopen, open_tree, ...; Linux 5.12 and newer): a mount is made detached, prepared through its
/// descriptor, and put into place by one call, so that nobody sees it half made.
namespace slipway::os {

/// Name and value; an empty value sets a flag. Values are at most 255 bytes (the kernel's limit).
using MountOptions = std::vector<std::pair<std::string, std::string>>;

/// A new file system instance, not yet anywhere. `attributes`: MOUNT_ATTR_*. Errors carry the kernel's explanation.
Result<Fd> make_mount(const char* type, const MountOptions& options, unsigned attributes);

/// As `make_mount`, by mount(2) at the directory `at`, from which it is taken: for a value of more than the 255 bytes
/// that fsconfig(2) takes. All options together are below 4 KiB; no value has a comma.
Result<Fd> make_mount_at(const std::string& at, const char* type, const MountOptions& options, unsigned attributes);

enum class Submounts { left_out, included };

/// A detached copy of what is mounted at `path` (relative to `directory`; empty: `directory` itself).
Result<Fd> clone_mount(int directory, const std::string& path, Submounts submounts);

/// Adds `attributes` to a detached mount. `user_namespace`: its id map is applied to the files (-1: none).
Result<void> restrict_mount(int mount, unsigned attributes, Submounts submounts, int user_namespace = -1);

/// Takes `noexec` from a detached mount.
Result<void> allow_execution(int mount);

/// Puts a detached mount at `path`, relative to `directory`.
Result<void> attach_mount(int mount, int directory, const std::string& path);

/// A directory as overlayfs' `lowerdir` takes it. `keep_open` holds what the text may refer to.
Result<std::string> lower_directory(const std::string& path, std::vector<Fd>& keep_open);

}  // namespace slipway::os
