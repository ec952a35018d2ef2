#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "os/fd.h"

/// The few rtnetlink requests that a sandbox's network needs. IPv4 addresses are in host byte order.
namespace slipway::os {

/// Speaks to the network namespace in which it was opened, also after its process has moved to another one.
/// One thread. Each call waits for the kernel's answer.
class RouteSocket {
 public:
  static Result<RouteSocket> open();
  /// One that was opened elsewhere, by a process that let go of it (`into_fd`).
  explicit RouteSocket(Fd socket) : socket_(std::move(socket)) {}
  Fd into_fd() && { return std::move(socket_); }

  /// A pair of virtual links: `name` here, `peer_name` in the network namespace behind `peer_namespace`.
  Result<void> make_pair(const std::string& name, const std::string& peer_name, int peer_namespace);
  Result<void> add_address(const std::string& link, std::uint32_t address, std::uint8_t prefix_bits);
  Result<void> raise(const std::string& link);
  Result<void> add_default_route(std::uint32_t gateway) { return add_route(0, 0, gateway); }
  Result<void> add_route(std::uint32_t network, std::uint8_t prefix_bits, std::uint32_t gateway);
  /// What is sent to these addresses fails at once. One that is there already is success.
  Result<void> close_route(std::uint32_t first_address, std::uint8_t prefix_bits);

 private:
  Result<void> transact(std::string& request);
  Result<std::uint32_t> index_of(const std::string& link);

  Fd socket_;
};

}  // namespace slipway::os
