#include "sandbox/native/private_network.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include <fmt/format.h>

#include "os/files.h"
#include "os/netlink.h"

namespace slipway::sandbox::native {

namespace {

// 198.51.100.0/24 (RFC 5737): nobody outside has such an address. A /30 a service: the job's end, then the service's.
constexpr std::uint32_t kNetwork = 0xC633'6400;
constexpr std::uint8_t kNetworkBits = 24, kLinkBits = 30;

std::uint32_t job_end(std::size_t service) { return kNetwork + 4 * static_cast<std::uint32_t>(service) + 1; }
std::uint32_t service_end(std::size_t service) { return job_end(service) + 1; }

std::string dotted(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24U, (address >> 16U) & 0xFFU, (address >> 8U) & 0xFFU, address & 0xFFU);
}

Result<void> enter_network(int descriptor, const char* whose) {
  if (::setns(descriptor, CLONE_NEWNET) != 0) return fail_errno(errno, fmt::format("entering {} network", whose));
  return {};
}

Result<void> make_job_end(std::size_t service, int service_network) {
  const std::string link = fmt::format("svc{}", service);
  SW_TRY(os::RouteSocket routes, os::RouteSocket::open());
  SW_CHECK(routes.make_pair(link, "eth0", service_network));
  SW_CHECK(routes.add_address(link, job_end(service), kLinkBits));
  return routes.raise(link);
}

}  // namespace

std::string hosts_lines(const PrivateNetwork& network) {
  std::string lines;
  for (std::size_t i = 0; i < network.services.size(); ++i) {
    lines += fmt::format("{}\t{}\n", dotted(service_end(i)), network.services[i]);
  }
  return lines;
}

Result<void> become_middle() {
  // A process sees the settings of its own network namespace here.
  SW_TRY(const os::Fd file, os::open_file("/proc/sys/net/ipv4/ip_forward", O_WRONLY));
  return os::write_all(file.get(), "1");
}

Result<void> join_middle(const PrivateNetwork& network, int middle) {
  if (!network.self || *network.self >= PrivateNetwork::kMost) return fail(ErrorKind::invalid, "no such service");
  SW_TRY(const os::Fd own, os::open_file("/proc/self/ns/net", O_RDONLY));
  SW_CHECK(enter_network(middle, "the job's"));
  const auto made = make_job_end(*network.self, own.get());
  SW_CHECK(enter_network(own.get(), "its own"));
  SW_CHECK(made);
  SW_TRY(os::RouteSocket routes, os::RouteSocket::open());
  SW_CHECK(routes.add_address("eth0", service_end(*network.self), kLinkBits));
  SW_CHECK(routes.raise("eth0"));
  return routes.add_route(kNetwork, kNetworkBits, job_end(*network.self));
}

}  // namespace slipway::sandbox::native
