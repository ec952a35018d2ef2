#include "sandbox/private_network.h"

#include <fcntl.h>

#include <fmt/format.h>

#include "os/files.h"

namespace slipway::sandbox {

namespace {

// 198.51.100.0/24 (RFC 5737): nobody outside has such an address. A /30 a service: the job's end, then the service's.
constexpr std::uint32_t kNetwork = 0xC633'6400;
constexpr std::uint8_t kNetworkBits = 24, kLinkBits = 30;

std::uint32_t job_end(std::size_t service) { return kNetwork + 4 * static_cast<std::uint32_t>(service) + 1; }
std::uint32_t service_end(std::size_t service) { return job_end(service) + 1; }

std::string dotted(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24U, (address >> 16U) & 0xFFU, (address >> 8U) & 0xFFU, address & 0xFFU);
}

}  // namespace

std::vector<NamedAddress> addresses_of(const PrivateNetwork& network) {
  std::vector<NamedAddress> all;
  all.reserve(network.services.size());
  for (std::size_t i = 0; i < network.services.size(); ++i) {
    all.push_back({dotted(service_end(i)), network.services[i]});
  }
  return all;
}

Result<void> link_with_job(std::size_t service, os::RouteSocket& job) {
  if (service >= PrivateNetwork::kMost) return fail(ErrorKind::invalid, "no such service");
  const std::string link = fmt::format("svc{}", service);
  SW_TRY(const os::Fd own, os::open_file("/proc/self/ns/net", O_RDONLY));
  SW_CHECK(job.make_pair(link, "eth0", own.get()));
  SW_CHECK(job.add_address(link, job_end(service), kLinkBits));
  SW_CHECK(job.raise(link));
  SW_TRY(os::RouteSocket here, os::RouteSocket::open());
  SW_CHECK(here.add_address("eth0", service_end(service), kLinkBits));
  SW_CHECK(here.raise("eth0"));
  return here.add_route(kNetwork, kNetworkBits, job_end(service));
}

}  // namespace slipway::sandbox
