#pragma once

#include <optional>
#include <vector>

#include "init/entry.h"
#include "os/message_socket.h"
#include "sandbox/native/root.h"

namespace slipway::sandbox::native {

/// All that a child of the launcher needs; it owns these descriptors.
struct ChildInput {
  SetupSpec spec;
  os::Fd leash, status;
  os::Fd sandbox_namespace, root_namespace;       ///< user namespaces; the latter none where no step may be root
  std::vector<os::Fd> mount_owner;                ///< as RootNamespaces
  os::Fd joined;                                  ///< of its job (setup_spec.h); none: it joins none
  os::Fd shared_namespace;                        ///< of a sibling: as RootNamespaces (root.h)
  std::optional<os::MessageSocket> network_line;  ///< to the guard of pasta (pasta.h); none: no such network
};

/// A new process's first act: a session of its own, default signals, no descriptors but these.
void begin_process(std::vector<int> kept);

/// Runs in the first process of a new pid namespace: sets the sandbox up, tells the owner, and hands over to `entry`.
/// Returns the exit status.
int run_child(ChildInput input, const HostLayout& host, Identity::Kind kind, init::EntryPoint entry);

/// The same, begun ahead of need: makes what is the same for every sandbox with a network of its own (of the kind that
/// `network_line` says), says "ready" on `launcher`, and waits there for its input (send_input). Ends when the launcher
/// does.
int run_spare(os::Fd launcher, std::optional<os::MessageSocket> network_line, const HostLayout& host,
              Identity::Kind kind, init::EntryPoint entry);
Result<void> send_input(os::MessageSocket& spare, const std::string& request, const ChildInput& input,
                        const os::CallLimit& limit);
/// Can a spare become this sandbox?
bool fits_spare(const SetupSpec& spec);

}  // namespace slipway::sandbox::native
