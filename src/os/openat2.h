#pragma once

#include <linux/openat2.h>

#include <cstdint>

#include "os/fd.h"

namespace slipway::os {

/// What a path that a stranger chose may not do: leave the directory, pass a link, or cross into another mount.
inline constexpr std::uint64_t kBeneath =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

/// openat2(2), which glibc does not wrap: `path` below `directory_fd` (empty: that directory), with O_CLOEXEC and held
/// by `resolve` (RESOLVE_*). None, and errno: ELOOP a link, EXDEV out of the directory or into a mount. Only a system
/// call: for a child of fork too.
Fd open_held(int directory_fd, const char* path, int flags, std::uint64_t resolve);

}  // namespace slipway::os
