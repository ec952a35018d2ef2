#include "sandbox/native/child.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "os/files.h"
#include "os/message_socket.h"
#include "os/netlink.h"

namespace slipway::sandbox::native {

namespace {

constexpr auto kTellWithin = std::chrono::seconds(10);

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = 3;  // 0, 1 and 2 are /dev/null
  for (const int fd : kept) {
    if (fd < 0) continue;
    const auto number = static_cast<unsigned>(fd);
    if (number > next) ::close_range(next, number - 1, 0);
    next = std::max(next, number + 1);
  }
  ::close_range(next, ~0U, 0);
}

std::vector<int> descriptors_of(const ChildInput& input) {
  std::vector<int> fds = {input.leash.get(), input.status.get(), input.sandbox_namespace.get(),
                          input.root_namespace.get()};
  for (const os::CgroupDirectory& group : input.groups) fds.push_back(group.fd.get());
  for (const os::Fd& fd : input.mount_owner) fds.push_back(fd.get());
  return fds;
}

Result<void> raise_loopback() {
  const os::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno(errno, "socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return fail_errno(errno, "raising the loopback interface");
  return {};
}

// Ports below 1024 are free to all: a network of its own has nobody to protect them from.
Result<void> free_low_ports() {
  SW_TRY(const os::Fd file, os::open_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY));
  return os::write_all(file.get(), "0");
}

// `host` speaks to the namespace that the process came from.
Result<void> join_nat(os::RouteSocket& host, const NatAddress& nat) {
  constexpr std::uint8_t kPrefixBits = 30;
  SW_TRY(const os::Fd here, os::open_file("/proc/self/ns/net", O_RDONLY));
  SW_CHECK(host.make_pair(nat.interface, "eth0", here.get()));
  SW_CHECK(host.add_address(nat.interface, nat.host, kPrefixBits));
  SW_CHECK(host.raise(nat.interface));
  SW_TRY(os::RouteSocket inside, os::RouteSocket::open());
  SW_CHECK(inside.add_address("eth0", nat.inside, kPrefixBits));
  SW_CHECK(inside.raise("eth0"));
  return inside.add_default_route(nat.host);
}

Result<void> make_namespaces(const SandboxSpec& spec) {
  int wanted = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  if (spec.network != model::Network::host) wanted |= CLONE_NEWNET;
  if (::unshare(wanted) != 0) return fail_errno(errno, "new namespaces");
  if (::sethostname(spec.hostname.data(), spec.hostname.size()) != 0) return fail_errno(errno, "naming the host");
  return {};
}

Result<void> keep_capabilities() {
  constexpr unsigned kKept = (1U << CAP_CHOWN) | (1U << CAP_DAC_OVERRIDE) | (1U << CAP_FOWNER) | (1U << CAP_KILL) |
                             (1U << CAP_SETGID) | (1U << CAP_SETUID) | (1U << CAP_SETPCAP) | (1U << CAP_SYS_CHROOT);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  data[0].effective = data[0].permitted = kKept;
  if (::syscall(SYS_capset, &header, data) != 0) return fail_errno(errno, "dropping capabilities");
  return {};
}

// The last step: from here on the process has no power over its mounts and network.
Result<void> become_init(int user_namespace, const Identity& identity, std::uint64_t process_limit) {
  if (::setns(user_namespace, CLONE_NEWUSER) != 0) return fail_errno(errno, "entering the user namespace");
  const std::uint32_t id = identity.init_id();
  if (identity.kind() != Identity::Kind::single) {
    if (::setgroups(0, nullptr) != 0) return fail_errno(errno, "dropping groups");
  }
  if (::setresgid(id, id, id) != 0 || ::setresuid(id, id, id) != 0) return fail_errno(errno, "taking init's id");
  SW_CHECK(keep_capabilities());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(errno, "no_new_privs");
  // Keys of whoever started slipway would stay readable otherwise, across user namespaces too.
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 && errno != ENOSYS) {
    return fail_errno(errno, "a new session keyring");
  }
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  if (process_limit > 0) {
    const rlimit most{process_limit, process_limit};  // refused where the caller has less: that stays then
    ::setrlimit(RLIMIT_NPROC, &most);
  }
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return {};
}

Result<void> in_stage(const char* stage, Result<void> outcome) {
  if (!outcome) return wrap(outcome.error(), stage);
  return outcome;
}

Result<void> set_up(const ChildInput& input, const HostLayout& host, const Identity& identity) {
  const SandboxSpec& spec = input.spec.sandbox;
  std::optional<os::RouteSocket> outside;
  if (spec.network == model::Network::nat) {
    SW_TRY(outside, os::RouteSocket::open());
  }
  SW_CHECK(in_stage("namespaces", make_namespaces(spec)));
  if (spec.network != model::Network::host) {
    SW_CHECK(in_stage("network", raise_loopback()));
    SW_CHECK(in_stage("network", free_low_ports()));
  }
  if (outside) SW_CHECK(in_stage("network", join_nat(*outside, input.spec.nat)));
  RootNamespaces namespaces{input.sandbox_namespace.get(), {}};
  for (const os::Fd& fd : input.mount_owner) namespaces.mount_owner.push_back(fd.get());
  SW_CHECK(in_stage("root directory", enter_new_root(input.spec, host, identity, namespaces)));
  return in_stage("identity", become_init(input.sandbox_namespace.get(), identity, input.spec.process_limit));
}

}  // namespace

int run_child(ChildInput input, const HostLayout& host, const Identity& identity, init::EntryPoint entry) {
  ::signal(SIGCHLD, SIG_DFL);
  ::setsid();
  ::umask(0);
  close_all_but(descriptors_of(input));
  const auto outcome = set_up(input, host, identity);
  os::MessageSocket status(std::move(input.status));
  const os::CallLimit limit = os::within(kTellWithin);
  if (!outcome) {
    (void)status.send(encode_failure(outcome.error()), {}, limit);  // an owner that is gone needs no answer
    return 1;
  }
  const os::Fd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!status.send("{}", {self.get()}, limit)) return 1;
  ::umask(022);
  init::Entry handed;
  handed.leash = std::move(input.leash);
  handed.cgroups = os::StepCgroups(std::move(input.groups));
  handed.root_namespace = std::move(input.root_namespace);
  handed.nesting = input.spec.sandbox.nested ? os::Nesting::allowed : os::Nesting::refused;
  handed.own_id = identity.init_id();
  handed.runner_id = kRunnerId;
  handed.single_id = identity.kind() == Identity::Kind::single;
  handed.workspace = input.spec.sandbox.workspace;
  input.mount_owner.clear();
  input.sandbox_namespace.reset();
  {
    const os::MessageSocket done(std::move(status));  // closes: the owner has its answer
  }
  return entry(std::move(handed));
}

}  // namespace slipway::sandbox::native
