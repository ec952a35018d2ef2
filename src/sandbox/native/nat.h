#pragma once

#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "os/file_lock.h"
#include "sandbox/native/setup_spec.h"

namespace slipway::sandbox::native {

/// The IPv4 name servers in the text of a resolv.conf that are not on a loopback interface.
std::vector<std::string> reachable_nameservers(std::string_view resolv_conf);
/// Those of this host: where its resolver is on a loopback interface, what that resolver itself asks.
std::vector<std::string> find_nameservers();

/// The link of a sandbox in `slot` that is the slot's `turn`th. Names and addresses of a slot rotate: the last
/// sandbox's link may take a moment to go.
NatAddress nat_address(int slot, std::uint32_t turn);

/// Is `name` a bridge that containers or virtual machines of this host hang on, and not the way out?
bool is_closed_interface(std::string_view name);

/// The host's side of `network: nat`: one rule set for all sandboxes of the machine, made when the first one wants it,
/// taken back (forwarding too) when the last slipway process ends in order. Any thread.
///
/// A sandbox reaches the outside and its name servers (port 53 of them, wherever they run: on this host too); not the
/// host's own addresses, what the host passes on from them, containers and virtual machines on its bridges, link-local
/// and metadata addresses, or other sandboxes; nobody reaches it. IPv6 is not forwarded.
class Nat {
 public:
  /// `directory`: the machine's runtime directory.
  explicit Nat(std::filesystem::path directory) : directory_(std::move(directory)) {}
  ~Nat();

  static bool is_possible();  ///< root, with `nft` installed

  Result<void> prepare(const os::CallLimit& limit);

  /// After `prepare`: whoever holds this uses the rules too, and keeps them there.
  Result<os::FileLock> share(const os::CallLimit& limit) const;

  /// After `prepare`.
  const std::vector<std::string>& nameservers() const { return nameservers_; }

 private:
  Result<void> install(const os::CallLimit& limit);
  void take_back();

  const std::filesystem::path directory_;
  std::mutex mutex_;  // the first sandboxes wait for the rules
  bool ready_ = false;
  std::optional<os::FileLock> users_;  // shared: this process uses the rules
  std::vector<std::string> nameservers_;
};

}  // namespace slipway::sandbox::native
