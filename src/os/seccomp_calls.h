#pragma once

#include <sys/syscall.h>

#include <array>

/// The calls that a step may make, by name: Docker's default list for a container without capabilities that open more,
/// less the keyring calls and modify_ldt (16-bit segments: nothing but attack surface). A name that this machine's
/// headers or architecture lack is left out by the `#ifdef`s of seccomp_calls.inc: see there.
namespace slipway::os {

/// In no order; the filter sorts them.
inline constexpr auto kAllowedCalls = std::to_array<int>({
#define SLIPWAY_CALL(number) number,
#include "os/seccomp_calls.inc"
#undef SLIPWAY_CALL
});

/// What `nested: true` adds: namespaces and mounts of the job's own.
inline constexpr auto kNestedCalls = std::to_array<int>({
    SYS_clone3,
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_open_tree,
    SYS_move_mount,
    SYS_mount_setattr,
    SYS_keyctl,
});

}  // namespace slipway::os
