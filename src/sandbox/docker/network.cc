#include "sandbox/docker/network.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include <boost/json.hpp>

#include <fmt/format.h>

#include "base/text.h"
#include "os/files.h"
#include "os/subprocess.h"
#include "sandbox/closed_addresses.h"

namespace slipway::sandbox::docker {

namespace json = boost::json;

namespace {

constexpr const char* kName = "slipway";
constexpr const char* kIccOption = "com.docker.network.bridge.enable_icc";
constexpr std::size_t kMaxText = 1U << 20U;
const std::vector<std::string> kToolPath = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};

struct Network {
  std::string id;
  bool closed = false;  ///< as this code makes it
};

Result<Network> read_network(std::string_view text) {
  boost::system::error_code bad;
  const json::value document = json::parse(std::string(text), bad);
  if (bad || !document.is_object())
    return fail(ErrorKind::invalid, "Docker's answer about its network is no JSON object");
  Network network;
  const json::object& object = document.get_object();
  for (const char* key : {"Id", "ID"}) {
    if (const json::value* id = object.if_contains(key); id != nullptr && id->is_string())
      network.id = id->get_string().c_str();
  }
  if (const json::value* options = object.if_contains("Options"); options != nullptr && options->is_object()) {
    const json::value* icc = options->get_object().if_contains(kIccOption);
    network.closed = icc != nullptr && *icc == "false";
  }
  return network;
}

// Without it, what passes a bridge inside the host never meets the rules: Docker needs it for the same reason.
std::string rules(const std::string& bridge, const std::string& table) {
  // A resolver that runs on this host is asked by Docker's own from within the container.
  return fmt::format(R"(table inet {1}
delete table inet {1}
table inet {1} {{
  chain input {{
    type filter hook input priority filter - 5; policy accept;
    iifname != "{0}" accept
    ct state established,related accept
    udp dport 53 accept
    tcp dport 53 accept
    drop
  }}
  chain forward {{
    type filter hook forward priority filter - 5; policy accept;
    iifname "{0}" goto from_sandbox
    oifname "{0}" goto to_sandbox
  }}
  chain from_sandbox {{
    oifname "{0}" drop
    meta nfproto ipv6 drop
    ip daddr {{ {2} }} drop
    # Sent for an address of this host's and passed on by it: a published port of another container.
    ct status dnat drop
    oifname "docker*" drop
    oifname "br-*" drop
    oifname "virbr*" drop
    oifname "slw*" drop
    accept
  }}
  chain to_sandbox {{
    ct state established,related accept
    drop
  }}
}}
)",
                     bridge, table, kClosedAddresses);
}

Result<os::CommandOutput> run_nft(std::vector<std::string> argv, int stdin_fd, const os::CallLimit& limit) {
  return os::run_command(
      {.argv = std::move(argv), .environment = kToolPath, .working_dir = "/", .fds = {}, .stdin_fd = stdin_fd},
      kMaxText, limit);
}

Result<void> build_walls(const std::string& bridge, const os::CallLimit& limit) {
  const std::string table = "slipway-" + bridge;
  const auto have = run_nft({"nft", "list", "table", "inet", table}, -1, limit);
  if (have && have->exit_code == 0) return {};
  const os::Fd file(::memfd_create("slipway-nft", MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "memfd_create");
  SW_CHECK(os::write_all(file.get(), rules(bridge, table)));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "lseek");
  SW_TRY(const os::CommandOutput output, run_nft({"nft", "-f", "-"}, file.get(), limit));
  if (output.exit_code != 0) return fail(ErrorKind::unavailable, "nft: " + std::string(trim(output.err)));
  return {};
}

}  // namespace

bool NatNetwork::has_walls() {
  if (::geteuid() != 0) return false;
  for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
    if (::access(path, X_OK) == 0) return true;
  }
  return false;
}

Result<std::string> NatNetwork::prepare(const os::CallLimit& limit) {
  const std::scoped_lock lock(mutex_);
  if (ready_) return std::string(kName);
  const std::string target = std::string("/networks/") + kName;
  auto known = engine_.get(target, limit);
  if (!known && known.error().kind == ErrorKind::not_found) {
    const json::object wanted{{"Name", kName},
                              {"CheckDuplicate", true},
                              {"Driver", "bridge"},
                              {"Options", {{kIccOption, "false"}}},
                              {"Labels", {{"slipway.network", "nat"}}}};
    auto made = engine_.post("/networks/create", json::serialize(wanted), limit);
    // Another slipway was faster: its network is as good.
    if (!made && made.error().kind != ErrorKind::conflict) return wrap(made.error(), "making the network");
    known = engine_.get(target, limit);
  }
  if (!known) return wrap(known.error(), "network nat");
  SW_TRY(const Network network, read_network(*known));
  constexpr std::size_t kShortId = 12;
  if (!network.closed || network.id.size() < kShortId) {
    return fail(ErrorKind::conflict,
                "Docker's network `slipway` is not one that slipway made: remove it (docker network rm slipway)");
  }
  if (has_walls()) {
    if (auto built = build_walls("br-" + network.id.substr(0, kShortId), limit); !built) {
      return wrap(built.error(), "network nat: keeping the host from it");
    }
  }
  ready_ = true;
  return std::string(kName);
}

}  // namespace slipway::sandbox::docker
