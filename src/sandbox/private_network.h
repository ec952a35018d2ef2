#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "os/netlink.h"
#include "sandbox/sandbox.h"

/// A job's private network (sandbox::PrivateNetwork) as backends make it that have network namespaces: the job's is its
/// middle, from which a pair of virtual links leads to each service, and it passes on what one service sends another
/// (its net.ipv4.ip_forward is 1). A service has a route to this network and to nothing else.
namespace slipway::sandbox {

struct NamedAddress {
  std::string address, name;
};
/// For /etc/hosts of the job and of every service.
std::vector<NamedAddress> addresses_of(const PrivateNetwork& network);

/// In a service's set-up, in its new network namespace: links it with the job's, in which `job` was opened.
Result<void> link_with_job(std::size_t service, os::RouteSocket& job);

}  // namespace slipway::sandbox
