#include "sandbox/native/pasta.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "os/files.h"
#include "os/subprocess.h"
#include "os/wait.h"
#include "sandbox/native/nat.h"

namespace slipway::sandbox::native {

namespace {

constexpr auto kStartWithin = std::chrono::seconds(10);
constexpr std::size_t kMaxText = 64U << 10U;

// The last eight addresses of the range that `network: nat` of root uses, which no slot gets to: each sandbox has the
// same ones, in a network of its own. pasta hands what is asked of the name server to the host's first one.
constexpr std::uint32_t kGateway = 0xC613FFF9;  // 198.19.255.249
constexpr const char* kGatewayText = "198.19.255.249";
constexpr const char* kInside = "198.19.255.250";
constexpr const char* kNameserver = "198.19.255.251";
constexpr const char* kPrefixBits = "29";

constexpr Subnet kNeverReached[] = {
    {0x00000000, 8},   // this network
    {0xA9FE0000, 16},  // link-local, with most clouds' metadata
    {0x646464C8, 32},  // metadata of one more, 100.100.100.200
    {0xA83F8110, 32},  // and another, 168.63.129.16
    {0xE0000000, 4},   // multicast
    {0xF0000000, 4},   // set aside; broadcast
    {0xC6120000, 15},  // sandboxes of root's slipway
    {kGateway, 32},    // pasta would ask the host for it
};

bool covers(const Subnet& subnet, std::uint32_t address) {
  return subnet.prefix_bits == 0 || ((address ^ subnet.first) >> (32U - subnet.prefix_bits)) == 0;
}

// The host's own addresses; whole networks of bridges that containers and virtual machines hang on.
void add_own(std::vector<Subnet>& closed) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return;
  const ScopeExit free_all([&] { ::freeifaddrs(all); });
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_netmask == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    const auto address = ntohl(reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr.s_addr);
    const auto mask = ntohl(reinterpret_cast<const sockaddr_in*>(one->ifa_netmask)->sin_addr.s_addr);
    if (address >> 24U == 127) continue;  // a sandbox has a loopback of its own
    closed.push_back({address, 32});
    if (is_closed_interface(one->ifa_name)) {
      closed.push_back({address & mask, static_cast<std::uint8_t>(std::popcount(mask))});
    }
  }
}

std::string without_noise(const std::string& text) {
  std::string kept;
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty() || line.starts_with("Failed to send")) continue;  // there is no system logger: not our matter
    kept += (kept.empty() ? "" : "; ") + std::string(trim(line));
  }
  return kept;
}

// pasta gives up the powers that /proc/PID/ns asks for before it looks there: a file that is the namespace needs none.
// In /run/user/ID/netns, where its AppArmor profile expects it.
Result<std::string> show_namespace(int network, const std::string& own_directory) {
  if (::unshare(CLONE_NEWNS) != 0) return fail_errno(errno, "a mount namespace");
  std::string at = "/run/user";
  struct stat status{};
  if (::stat(at.c_str(), &status) != 0) at = own_directory;
  if (::mount("tmpfs", at.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=0700") != 0) {
    return fail_errno(errno, "mounting over " + at);
  }
  for (const char* name : {"/0", "/netns"}) {
    at += name;
    if (::mkdir(at.c_str(), 0700) != 0) return fail_errno(errno, "making " + at);
  }
  at += "/sandbox";
  SW_TRY(const os::Fd file, os::open_file(at, O_WRONLY | O_CREAT, 0600));
  const std::string shown = fmt::format("/proc/self/fd/{}", network);
  if (::mount(shown.c_str(), at.c_str(), nullptr, MS_BIND, nullptr) != 0) return fail_errno(errno, "showing " + shown);
  return at;
}

// Returns when pasta serves: its first process ends then, and leaves another behind.
Result<void> start_pasta(const std::string& network) {
  const auto done =
      os::run_command({.argv = {"pasta", "--quiet", "--config-net", "--ipv4-only",
                                // Nothing comes in, nor out by the loopback interface.
                                "--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none",
                                "--no-map-gw", "--no-dhcp", "--no-dhcpv6", "--no-ndp", "--no-ra", "--address", kInside,
                                "--netmask", kPrefixBits, "--gateway", kGatewayText, "--dns-forward", kNameserver,
                                "--ns-ifname", "eth0", "--netns-only", "--no-netns-quit", "--netns", network},
                       .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                       .working_dir = "/",
                       .fds = {}},
                      kMaxText, os::within(kStartWithin));
  if (!done) return wrap(done.error(), "pasta");
  if (done->exit_code != 0) {
    return fail(ErrorKind::unavailable, fmt::format("pasta: {} (`network: none` works without it)",
                                                    without_noise(done->err + "\n" + done->out)));
  }
  return {};
}

}  // namespace

HostNetwork read_host_network() {
  HostNetwork host;
  host.closed.assign(std::begin(kNeverReached), std::end(kNeverReached));
  add_own(host.closed);
  std::string any;
  for (const std::string& server : find_nameservers()) {
    in_addr parsed{};
    ::inet_pton(AF_INET, server.c_str(), &parsed);
    const bool closed = std::any_of(host.closed.begin(), host.closed.end(),
                                    [&](const Subnet& one) { return covers(one, ntohl(parsed.s_addr)); });
    if (!closed) host.nameservers.push_back(server);
  }
  // On a loopback or another address of the host: only pasta can ask it.
  if (host.nameservers.empty()) host.nameservers.emplace_back(kNameserver);
  return host;
}

bool has_pasta() { return ::access("/usr/bin/pasta", X_OK) == 0 || ::access("/usr/local/bin/pasta", X_OK) == 0; }

int run_pasta_guard(os::Fd line, os::Fd ended, const std::string& own_directory) {
  {
    os::MessageSocket peer(std::move(line));
    auto asked = peer.receive({});
    if (!asked || asked->fds.empty()) return 0;  // the sandbox did not come to have a network
    const auto shown = show_namespace(asked->fds.front().get(), own_directory);
    asked->fds.clear();
    const Result<void> serves = shown ? start_pasta(*shown) : Result<void>(std::unexpected(shown.error()));
    const os::Fd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    const auto told = peer.send(serves ? "{}" : encode_failure(serves.error()), {self.get()}, os::within(kStartWithin));
    if (!serves || !told) return 1;
  }
  (void)os::wait_readable(ended.get(), {});  // without a limit it returns when the sandbox has ended
  return 0;
}

Result<void> ask_for_pasta(os::MessageSocket& line) {
  SW_TRY(const os::Fd here, os::open_file("/proc/self/ns/net", O_RDONLY));
  return line.send("go", {here.get()}, os::within(kStartWithin));
}

Result<os::Fd> await_pasta(os::MessageSocket& line) {
  auto answer = line.receive(os::within(2 * kStartWithin));
  if (!answer) return wrap(answer.error(), "waiting for pasta");
  SW_CHECK(decode_answer(answer->text));
  if (answer->fds.empty()) return fail(ErrorKind::internal, "pasta's guard did not name itself");
  return std::move(answer->fds.front());
}

Result<void> close_networks(const std::vector<Subnet>& closed) {
  SW_TRY(os::RouteSocket routes, os::RouteSocket::open());
  for (const Subnet& one : closed) SW_CHECK(routes.close_route(one.first, one.prefix_bits));
  return {};
}

}  // namespace slipway::sandbox::native
