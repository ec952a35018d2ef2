#pragma once

#include "base/error.h"
#include "os/fd.h"
#include "sandbox/native/host_layout.h"
#include "sandbox/native/identity.h"
#include "sandbox/native/setup_spec.h"

namespace slipway::sandbox::native {

struct RootNamespaces {
  int sandbox = -1;              ///< the sandbox's user namespace: an image directory's files are shown through it
  std::vector<int> mount_owner;  ///< one a SandboxSpec::mounts; -1: files as they are
  int job_process = -1;          ///< of a sibling: a pidfd of the job's first process
  int shared = -1;               ///< of a sibling: the user namespace that its shares are shown through
};

/// Makes the sandbox's file system and moves the calling process into it. The process is the first of its new mount,
/// pid and network namespaces, still has the power to mount, and stands in a directory of no other use (its mounts
/// here are seen by it alone). On error the process is good for nothing but to say so and end.
/// Returns a sibling's source directory, as a mount of its own for the owner to read from; else nothing.
Result<os::Fd> enter_new_root(const SetupSpec& spec, const HostLayout& host, const Identity& identity,
                              const RootNamespaces& namespaces);

}  // namespace slipway::sandbox::native
