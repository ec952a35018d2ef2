#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "sandbox/sandbox.h"

/// A job's private network (sandbox::PrivateNetwork) as the set-up of native sandboxes makes it: the job's network
/// namespace is its middle, from which a pair of virtual links leads to each service. It passes on what one service
/// sends another; a service has a route to this network and to nothing else.
namespace slipway::sandbox::native {

/// Lines for /etc/hosts: every service by name.
std::string hosts_lines(const PrivateNetwork& network);

/// In the job's set-up, in its new network namespace: lets it pass on between its services.
Result<void> become_middle();

/// In a service's set-up, in its new network namespace: links it with `middle`, the job's.
Result<void> join_middle(const PrivateNetwork& network, int middle);

}  // namespace slipway::sandbox::native
