#pragma once

#include <vector>

#include "init/entry.h"
#include "os/message_socket.h"
#include "sandbox/native/root.h"

namespace slipway::sandbox::native {

/// All that a child of the launcher needs; it owns these descriptors.
struct ChildInput {
  SetupSpec spec;
  os::Fd leash, status;
  os::Fd sandbox_namespace, root_namespace;  ///< user namespaces; the latter none where no step may be root
  std::vector<os::Fd> mount_owner;           ///< as RootNamespaces
  os::Fd job_process, shared_namespace;      ///< of a sibling: as BesideNamespaces (root.h)
};

/// Runs in the first process of a new pid namespace: sets the sandbox up, tells the owner, and hands over to `entry`.
/// Returns the exit status.
int run_child(ChildInput input, const HostLayout& host, Identity::Kind kind, init::EntryPoint entry);

/// The same, begun ahead of need: makes what is the same for every sandbox with a network of its own, says "ready" on
/// `launcher`, and waits there for its input (send_input). Ends when the launcher does.
int run_spare(os::Fd launcher, const HostLayout& host, Identity::Kind kind, init::EntryPoint entry);
Result<void> send_input(os::MessageSocket& spare, const std::string& request, const ChildInput& input,
                        const os::CallLimit& limit);
/// Can a spare become this sandbox?
bool fits_spare(const SetupSpec& spec);

}  // namespace slipway::sandbox::native
