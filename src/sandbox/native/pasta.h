#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "os/fd.h"
#include "os/message_socket.h"
#include "os/netlink.h"
#include "sandbox/native/setup_spec.h"

/// `network: nat` for a user who is not root: the program `pasta` (package passt) moves packets between a sandbox's
/// network and sockets of the user's own on the host.
///
/// pasta alone keeps out: the host's loopback, whatever would come in, IPv6. The rest is closed by routes in the
/// sandbox's network, which its steps have no right to change: the host's own addresses, what its container bridges
/// lead to, link-local and metadata addresses. Not kept out: an address that the host gets while the sandbox runs.
///
/// A pasta lives below a guard: a process that the launcher makes beside each such sandbox, the first of a pid
/// namespace of its own. It starts pasta once the sandbox has its network, and ends when the sandbox's first process
/// does; the kernel ends pasta with it. Neither can be seen from inside, and neither needs slipway or the launcher.
namespace slipway::sandbox::native {

/// What the caller can see of the host, now: before a sandbox starts.
struct HostNetwork {
  std::vector<Subnet> closed;
  std::vector<std::string> nameservers;  ///< as a sandbox can reach them
};
HostNetwork read_host_network();

bool has_pasta();

/// The guard's whole life, in its own pid namespace. `line` leads to the sandbox's first process, whose pidfd `ended`
/// is. `own_directory`: an empty one that may be mounted over where there is no /run/user. Returns the exit status.
int run_pasta_guard(os::Fd line, os::Fd ended, const std::string& own_directory);

/// In the sandbox's first process, at the other end of the line. `ask`: it has a network of its own now.
/// `await`: pasta serves it; returns a pidfd of the guard.
Result<void> ask_for_pasta(os::MessageSocket& line);
Result<os::Fd> await_pasta(os::MessageSocket& line);

/// In the sandbox's network, as long as the process has power over it.
Result<void> close_networks(const std::vector<Subnet>& closed);

}  // namespace slipway::sandbox::native
