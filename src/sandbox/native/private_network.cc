#include "sandbox/native/private_network.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include <fmt/format.h>

#include "os/files.h"

namespace slipway::sandbox::native {

namespace {

Result<void> enter_network(int descriptor, const char* whose) {
  if (::setns(descriptor, CLONE_NEWNET) != 0) return fail_errno(errno, fmt::format("entering {} network", whose));
  return {};
}

}  // namespace

Result<void> become_middle() {
  // A process sees the settings of its own network namespace here.
  SW_TRY(const os::Fd file, os::open_file("/proc/sys/net/ipv4/ip_forward", O_WRONLY));
  return os::write_all(file.get(), "1");
}

Result<void> join_middle(const PrivateNetwork& network, int middle) {
  if (!network.self) return fail(ErrorKind::invalid, "no such service");
  SW_TRY(const os::Fd own, os::open_file("/proc/self/ns/net", O_RDONLY));
  SW_CHECK(enter_network(middle, "the job's"));
  auto job = os::RouteSocket::open();
  SW_CHECK(enter_network(own.get(), "its own"));
  if (!job) return std::unexpected(job.error());
  return link_with_job(*network.self, *job);
}

}  // namespace slipway::sandbox::native
