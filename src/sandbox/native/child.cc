#include "sandbox/native/child.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "os/files.h"
#include "os/message_socket.h"
#include "os/netlink.h"
#include "sandbox/become_init.h"
#include "sandbox/native/pasta.h"
#include "sandbox/native/private_network.h"

namespace slipway::sandbox::native {

namespace {

constexpr auto kTellWithin = std::chrono::seconds(10);

std::vector<int> descriptors_of(const ChildInput& input) {
  std::vector<int> fds = {input.leash.get(),
                          input.status.get(),
                          input.sandbox_namespace.get(),
                          input.root_namespace.get(),
                          input.joined.get(),
                          input.shared_namespace.get(),
                          input.network_line ? input.network_line->fd() : -1};
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

Result<void> make_namespaces(bool own_network) {
  const int wanted = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | (own_network ? CLONE_NEWNET : 0);
  if (::unshare(wanted) != 0) return fail_errno(errno, "new namespaces");
  return {};
}

Result<void> in_stage(const char* stage, Result<void> outcome) {
  if (!outcome) return wrap(outcome.error(), stage);
  return outcome;
}

// What is the same for every sandbox. Returns a way back to the network that the process came from.
Result<os::RouteSocket> set_up_common(bool own_network, std::optional<os::MessageSocket>& network_line) {
  SW_TRY(os::RouteSocket outside, os::RouteSocket::open());
  SW_CHECK(in_stage("namespaces", make_namespaces(own_network)));
  if (own_network) {
    SW_CHECK(in_stage("network", raise_loopback()));
    SW_CHECK(in_stage("network", free_low_ports()));
  }
  if (network_line) SW_CHECK(in_stage("network", ask_for_pasta(*network_line)));
  return outside;
}

Result<std::vector<os::CgroupDirectory>> receive_groups(os::MessageSocket& status) {
  SW_TRY(os::Message message, status.receive({}));  // ends with its owner
  SW_TRY(const std::vector<GroupShape> shapes, decode_groups(message.text));
  if (shapes.size() != message.fds.size()) return fail(ErrorKind::invalid, "the control groups lack descriptors");
  std::vector<os::CgroupDirectory> groups;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    groups.push_back({std::move(message.fds[i]), shapes[i].version, shapes[i].controllers});
  }
  return groups;
}

struct SetUp {
  std::vector<os::CgroupDirectory> groups;
  os::Fd source;  // of a sibling
  os::Fd guard;   // of pasta; none: another network
  os::Fd middle;  // of a job with services: its network, for them to join
};

// As late as can be: pasta has been starting all the while.
Result<os::Fd> join_pasta(ChildInput& input) {
  if (!input.network_line) return os::Fd();
  SW_TRY(os::Fd guard, await_pasta(*input.network_line));
  input.network_line.reset();
  SW_CHECK(close_networks(input.spec.closed));
  return guard;
}

Result<SetUp> set_up(ChildInput& input, os::RouteSocket& outside, os::MessageSocket& status, const HostLayout& host,
                     const Identity& identity) {
  const SandboxSpec& spec = input.spec.sandbox;
  if (::sethostname(spec.hostname.data(), spec.hostname.size()) != 0) return fail_errno(errno, "naming the host");
  if (spec.network == model::Network::nat && !input.spec.by_pasta) {
    SW_CHECK(in_stage("network", join_nat(outside, input.spec.nat)));
  }
  if (const auto& network = spec.private_network) {
    SW_CHECK(in_stage("network", network->self ? join_middle(*network, input.joined.get()) : become_middle()));
  }
  RootNamespaces namespaces{input.sandbox_namespace.get(), {}, input.joined.get(), input.shared_namespace.get()};
  for (const os::Fd& fd : input.mount_owner) namespaces.mount_owner.push_back(fd.get());
  SetUp made;
  auto source = enter_new_root(input.spec, host, identity, namespaces);
  if (!source) return wrap(source.error(), "root directory");
  made.source = std::move(*source);
  auto groups = receive_groups(status);
  if (!groups) return wrap(groups.error(), "control group");
  made.groups = std::move(*groups);
  auto guard = join_pasta(input);
  if (!guard) return wrap(guard.error(), "network");
  made.guard = std::move(*guard);
  if (spec.private_network && !spec.private_network->self) {
    SW_TRY(made.middle, os::open_file("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  }
  SW_CHECK(in_stage("identity", become_init({.user_namespace = input.sandbox_namespace.get(),
                                             .id = identity.init_id(),
                                             .single_id = identity.kind() == Identity::Kind::single,
                                             .process_limit = input.spec.process_limit})));
  return made;
}

int become_sandbox(ChildInput input, Result<os::RouteSocket> outside, const HostLayout& host, Identity::Kind kind,
                   init::EntryPoint entry) {
  const Identity identity(kind, input.spec.slot, input.spec.runner_outside);
  os::MessageSocket status(std::move(input.status));
  {
    const os::Fd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    if (!status.send("{}", {self.get()}, os::within(kTellWithin))) return 1;
  }
  auto made =
      outside ? set_up(input, *outside, status, host, identity) : Result<SetUp>(std::unexpected(outside.error()));
  const os::CallLimit limit = os::within(kTellWithin);
  if (!made) {
    (void)status.send(encode_failure(made.error()), {}, limit);  // an owner that is gone needs no answer
    return 1;
  }
  {
    std::vector<int> answer;
    for (const os::Fd* more : {&made->source, &made->guard, &made->middle}) {
      if (*more) answer.push_back(more->get());
    }
    if (!status.send("{}", answer, limit)) return 1;
    made->source.reset();
    made->guard.reset();
    made->middle.reset();
  }
  ::umask(022);
  init::Entry handed;
  handed.leash = std::move(input.leash);
  handed.cgroups = os::StepCgroups(std::move(made->groups));
  handed.root_namespace = std::move(input.root_namespace);
  handed.nesting = input.spec.sandbox.nested ? os::Nesting::allowed : os::Nesting::refused;
  handed.own_id = identity.init_id();
  handed.runner_id = kRunnerId;
  handed.single_id = kind == Identity::Kind::single;
  handed.workspace = input.spec.sandbox.workspace;
  input.mount_owner.clear();
  for (os::Fd* fd : {&input.sandbox_namespace, &input.joined, &input.shared_namespace}) fd->reset();
  {
    const os::MessageSocket done(std::move(status));  // closes: the owner has its answer
    if (outside) const os::RouteSocket left(std::move(*outside));
  }
  return entry(std::move(handed));
}

bool shows_owner(const Mount& mount, Identity::Kind kind) { return mount.owner && kind == Identity::Kind::root; }

// The other end of send_input.
Result<ChildInput> input_of(os::Message message, Identity::Kind kind) {
  ChildInput input;
  SW_TRY(input.spec, decode_setup_spec(message.text));
  std::size_t next = 0;
  const auto take = [&]() -> os::Fd { return next < message.fds.size() ? std::move(message.fds[next++]) : os::Fd(); };
  input.leash = take();
  input.status = take();
  input.sandbox_namespace = take();
  if (kind != Identity::Kind::single && !input.spec.sandbox.beside) input.root_namespace = take();
  if (needs_job(input.spec.sandbox)) input.joined = take();
  if (input.spec.sandbox.beside) input.shared_namespace = take();
  for (const Mount& mount : input.spec.sandbox.mounts) {
    input.mount_owner.push_back(shows_owner(mount, kind) ? take() : os::Fd());
  }
  return input;
}

}  // namespace

void begin_process(std::vector<int> kept) {
  ::signal(SIGCHLD, SIG_DFL);
  ::setsid();
  ::umask(0);
  os::close_all_but(kept);  // 0, 1 and 2 are /dev/null
}

bool fits_spare(const SetupSpec& spec) {
  constexpr std::size_t kOthers = 6;
  return spec.sandbox.network != model::Network::host && !spec.has_init_leaf &&
         spec.sandbox.mounts.size() + kOthers <= os::MessageSocket::kMaxFds;
}

Result<void> send_input(os::MessageSocket& spare, const std::string& request, const ChildInput& input,
                        const os::CallLimit& limit) {
  std::vector<int> fds = {input.leash.get(), input.status.get(), input.sandbox_namespace.get()};
  for (const os::Fd* fd : {&input.root_namespace, &input.joined, &input.shared_namespace}) {
    if (*fd) fds.push_back(fd->get());
  }
  for (const os::Fd& fd : input.mount_owner) {
    if (fd) fds.push_back(fd.get());
  }
  return spare.send(request, fds, limit);
}

int run_child(ChildInput input, const HostLayout& host, Identity::Kind kind, init::EntryPoint entry) {
  begin_process(descriptors_of(input));
  auto outside = set_up_common(input.spec.sandbox.network != model::Network::host, input.network_line);
  return become_sandbox(std::move(input), std::move(outside), host, kind, entry);
}

int run_spare(os::Fd launcher, std::optional<os::MessageSocket> network_line, const HostLayout& host,
              Identity::Kind kind, init::EntryPoint entry) {
  begin_process({launcher.get(), network_line ? network_line->fd() : -1});
  auto outside = set_up_common(true, network_line);
  if (!outside) return 1;  // the launcher starts its sandbox without a spare, which tells why
  std::optional<os::MessageSocket> orders(std::in_place, std::move(launcher));
  if (!orders->send("ready", {}, os::within(kTellWithin))) return 0;
  auto message = orders->receive({});
  if (!message) return 0;  // the launcher is gone, or wants a younger one
  orders.reset();
  auto input = input_of(std::move(*message), kind);
  if (!input) return 1;
  input->network_line = std::move(network_line);
  return become_sandbox(std::move(*input), std::move(outside), host, kind, entry);
}

}  // namespace slipway::sandbox::native
