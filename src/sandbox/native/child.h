#pragma once

#include <vector>

#include "init/entry.h"
#include "sandbox/native/root.h"

namespace slipway::sandbox::native {

/// All that a child of the launcher needs; it owns these descriptors.
struct ChildInput {
  SetupSpec spec;
  os::Fd leash, status;
  std::vector<os::CgroupDirectory> groups;
  os::Fd sandbox_namespace, root_namespace;  ///< user namespaces; the latter none where only one id is mapped
  std::vector<os::Fd> mount_owner;           ///< as RootNamespaces
};

/// Runs in the first process of a new pid namespace: sets the sandbox up, tells the owner, and hands over to `entry`.
/// Returns the exit status.
int run_child(ChildInput input, const HostLayout& host, const Identity& identity, init::EntryPoint entry);

}  // namespace slipway::sandbox::native
