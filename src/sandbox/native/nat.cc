#include "sandbox/native/nat.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/text.h"
#include "os/file_lock.h"
#include "os/files.h"
#include "os/subprocess.h"
#include "sandbox/closed_addresses.h"

namespace slipway::sandbox::native {

namespace {

// 198.18.0.0/15 is set aside for benchmarks and used by no real network. A /30 a link, eight a slot.
constexpr std::uint32_t kFirstAddress = 0xC6120000;
constexpr const char* kAddresses = "198.18.0.0/15";
constexpr std::uint32_t kPerLink = 4, kLinksPerSlot = 8;
constexpr std::size_t kMaxText = 1U << 20U;
constexpr const char* kForward = "/proc/sys/net/ipv4/ip_forward";

const std::vector<std::string> kToolPath = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};

constexpr std::string_view kClosedInterfaces[] = {"docker", "br-",   "virbr", "cni",
                                                  "podman", "lxcbr", "lxdbr", "incusbr"};

// One of these may be the way out.
std::vector<std::string_view> closed_interfaces() {
  std::vector<std::string> outward;
  const std::string routes = os::read_file("/proc/net/route", kMaxText).value_or("");
  for (const std::string_view line : split(routes, '\n')) {
    const auto words = split(line, '\t');
    if (words.size() > 1 && words[1] == "00000000") outward.emplace_back(words[0]);
  }
  std::vector<std::string_view> closed;
  for (const std::string_view name : kClosedInterfaces) {
    const bool is_way_out =
        std::any_of(outward.begin(), outward.end(), [&](const std::string& one) { return one.starts_with(name); });
    if (!is_way_out) closed.push_back(name);
  }
  return closed;
}

std::string rules(const std::vector<std::string>& nameservers) {
  std::string resolvers, own_resolvers;
  if (!nameservers.empty()) {
    const std::string set = "{ " + join(nameservers, ", ") + " }";
    // One that runs on this host: this chain sees only what is for the host itself.
    own_resolvers = fmt::format(
        "    iifname \"slw*\" ip daddr {0} udp dport 53 accept\n    iifname \"slw*\" ip daddr {0} tcp dport 53 "
        "accept\n",
        set);
    resolvers = fmt::format("    ip daddr {0} udp dport 53 accept\n    ip daddr {0} tcp dport 53 accept\n", set);
  }
  std::string bridges;
  for (const std::string_view name : closed_interfaces()) bridges += fmt::format("    oifname \"{}*\" drop\n", name);
  // `slw*` are the hosts' ends of sandboxes. Replies to what a sandbox began come back; nothing else goes in.
  return fmt::format(R"(table inet slipway
delete table inet slipway
table inet slipway {{
  chain input {{
    type filter hook input priority filter - 5; policy accept;
{2}    iifname "slw*" drop
  }}
  chain forward {{
    type filter hook forward priority filter - 5; policy accept;
    iifname "slw*" goto from_sandbox
    oifname "slw*" goto to_sandbox
  }}
  chain from_sandbox {{
    oifname "slw*" drop
    meta nfproto ipv6 drop
    ip saddr != {0} drop
{1}    ip daddr {{ {4}, {0} }} drop
    # Sent for an address of this host's and passed on by it: a published port of a container.
    ct status dnat drop
{3}    accept
  }}
  chain to_sandbox {{
    ct state established,related accept
    drop
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {0} oifname != "slw*" masquerade
  }}
}}
)",
                     kAddresses, resolvers, own_resolvers, bridges, kClosedAddresses);
}

Result<os::CommandOutput> run_tool(std::vector<std::string> argv, int stdin_fd, const os::CallLimit& limit) {
  return os::run_command(
      {.argv = std::move(argv), .environment = kToolPath, .working_dir = "/", .fds = {}, .stdin_fd = stdin_fd},
      kMaxText, limit);
}

Result<void> load_rules(const std::string& text, const os::CallLimit& limit) {
  const os::Fd file(::memfd_create("slipway-nft", MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "memfd_create");
  SW_CHECK(os::write_all(file.get(), text));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "lseek");
  SW_TRY(const os::CommandOutput output, run_tool({"nft", "-f", "-"}, file.get(), limit));
  if (output.exit_code != 0) return fail(ErrorKind::unavailable, "nft: " + std::string(trim(output.err)));
  return {};
}

// Docker's FORWARD policy is DROP, which no table of ours can lift: it leaves DOCKER-USER for that.
void in_docker_chain(const char* action, const os::CallLimit& limit) {
  const auto chain = run_tool({"iptables", "-n", "-L", "DOCKER-USER"}, -1, limit);
  if (!chain || chain->exit_code != 0) return;  // no Docker here
  for (const char* direction : {"-i", "-o"}) {
    const auto have = run_tool({"iptables", "-C", "DOCKER-USER", direction, "slw+", "-j", "ACCEPT"}, -1, limit);
    const bool present = have && have->exit_code == 0;
    if (present == (std::string_view(action) == "-I")) continue;
    (void)run_tool({"iptables", action, "DOCKER-USER", direction, "slw+", "-j", "ACCEPT"}, -1,
                   limit);  // seen by `doctor`
  }
}

}  // namespace

std::vector<std::string> reachable_nameservers(std::string_view resolv_conf) {
  std::vector<std::string> found;
  for (const std::string_view line : split(resolv_conf, '\n')) {
    if (!line.starts_with("nameserver")) continue;
    const std::string address(trim(line.substr(10)));
    in_addr parsed{};
    if (::inet_pton(AF_INET, address.c_str(), &parsed) != 1) continue;
    if (address.starts_with("127.") || address.starts_with("0.")) continue;
    found.push_back(address);
  }
  return found;
}

std::vector<std::string> find_nameservers() {
  for (const char* path :
       {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"}) {
    std::vector<std::string> found = reachable_nameservers(os::read_file(path, kMaxText).value_or(""));
    if (!found.empty()) return found;
  }
  return {};
}

bool is_closed_interface(std::string_view name) {
  const auto closed = closed_interfaces();
  return std::any_of(closed.begin(), closed.end(), [&](std::string_view one) { return name.starts_with(one); });
}

bool Nat::is_possible() {
  if (::geteuid() != 0) return false;
  for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
    if (::access(path, X_OK) == 0) return true;
  }
  return false;
}

Result<void> Nat::prepare(const os::CallLimit& limit) {
  const std::scoped_lock lock(mutex_);
  if (ready_) return {};
  if (!is_possible()) {
    return fail(ErrorKind::denied,
                "`network: nat` needs nftables (install the package `nftables`); `network: none` works");
  }
  auto installed = install(limit);
  if (!installed) return wrap(installed.error(), "network nat");
  ready_ = true;
  return {};
}

Result<void> Nat::install(const os::CallLimit& limit) {
  SW_TRY(const os::FileLock changing, os::FileLock::acquire(directory_ / "nat.lock", os::LockMode::exclusive, limit));
  SW_TRY(users_, os::FileLock::acquire(directory_ / "nat.users", os::LockMode::shared, limit));
  nameservers_ = find_nameservers();
  const std::string wanted = rules(nameservers_);
  const auto loaded = run_tool({"nft", "list", "table", "inet", "slipway"}, -1, limit);
  const bool present = loaded && loaded->exit_code == 0;
  if (!present || os::read_file(directory_ / "nat.rules", kMaxText).value_or("") != wanted) {
    SW_CHECK(load_rules(wanted, limit));
    SW_CHECK(os::replace_file(directory_ / "nat.rules", wanted, 0600));
  }
  in_docker_chain("-I", limit);
  SW_TRY(const std::string forwarding, os::read_file(kForward, kMaxText));
  if (trim(forwarding) == "0") {
    SW_CHECK(
        os::replace_file(directory_ / "nat.forwarding-was-off", "", 0600));  // before: whoever ends last restores it
    SW_TRY(const os::Fd file, os::open_file(kForward, O_WRONLY));
    SW_CHECK(os::write_all(file.get(), "1"));
  }
  return {};
}

Result<os::FileLock> Nat::share(const os::CallLimit& limit) const {
  return os::FileLock::acquire(directory_ / "nat.users", os::LockMode::shared, limit);
}

Nat::~Nat() {
  if (ready_) take_back();
}

void Nat::take_back() {
  const os::CallLimit limit = os::within(std::chrono::seconds(5));
  const auto changing = os::FileLock::acquire(directory_ / "nat.lock", os::LockMode::exclusive, limit);
  if (!changing) return;
  if (::flock(users_->fd(), LOCK_EX | LOCK_NB) != 0) return;  // another slipway still uses the rules
  (void)run_tool({"nft", "delete", "table", "inet", "slipway"}, -1,
                 limit);  // rules for links that are gone harm nobody
  in_docker_chain("-D", limit);
  if (::unlink((directory_ / "nat.forwarding-was-off").c_str()) != 0) return;
  if (const auto file = os::open_file(kForward, O_WRONLY)) (void)os::write_all(file->get(), "0");
}

NatAddress nat_address(int slot, std::uint32_t turn) {
  const auto number = static_cast<std::uint32_t>(slot);
  const std::uint32_t first = kFirstAddress + (number * kLinksPerSlot + turn % kLinksPerSlot) * kPerLink;
  return {fmt::format("slw{:x}-{:x}", number, turn & 0xFFFFFU), first + 1, first + 2};
}

}  // namespace slipway::sandbox::native
