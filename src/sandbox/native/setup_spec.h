#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sandbox/ids.h"
#include "sandbox/sandbox.h"

/// What the owner asks of the launcher, and what comes back: one JSON message each over os::MessageSocket.
///
/// Request descriptors: [0] init's end of the leash, [1] the status socket, then those of `has_init_leaf` and of
/// `needs_job` (what it joins of its job: for a sibling a pidfd of process 1, for a service the network).
/// On the status socket process 1 sends {} with its pidfd as soon as it knows which sandbox it is, so that a set-up
/// that hangs can be ended. The owner sends the control groups (encode_groups) with a descriptor each: made while the
/// sandbox sets itself up. Answer: {} once set-up is done (of a sibling with its source directory, of a user's network
/// with the pidfd of pasta's guard, of a job with services with its network last), or {"error","kind"}, which the
/// launcher says where there is no process. End of file: the process is gone, or never was.
namespace slipway::sandbox::native {

inline constexpr std::uint32_t kIdsPerSlot = 65'536;

struct NatAddress {
  std::string interface;               ///< the host's end
  std::uint32_t host = 0, inside = 0;  ///< IPv4, host byte order, both in one /30
};

/// IPv4, host byte order.
struct Subnet {
  std::uint32_t first = 0;
  std::uint8_t prefix_bits = 32;
};

struct GroupShape {
  int version = 1;
  unsigned controllers = 0;
};

struct SetupSpec {
  SandboxSpec sandbox;
  std::vector<std::string> layers;  ///< of an image by name: directories, the topmost first
  int slot = 0;
  enum class Disk { memory, directory } disk = Disk::memory;
  std::uint64_t disk_bytes = 0;  ///< size of the tmpfs for `memory`
  std::string disk_path;         ///< for `directory`: where the writable layers lie; empty and the sandbox's own
  NatAddress nat;                ///< for Network::nat as root
  bool by_pasta = false;         ///< Network::nat of a user: pasta.h
  std::vector<Subnet> closed;    ///< for `by_pasta`: what the sandbox must not reach
  std::vector<std::string> nameservers;  ///< as the sandbox can reach them
  bool has_init_leaf = false;            ///< a descriptor of the v2 leaf that init starts in comes with the request
  std::uint32_t runner_outside = 0;      ///< of a sibling: the host id that its runner is (`source` of the job). 0: own
  std::uint32_t shared_owner = 0;        ///< ... and the host id of the job's user, whose files `shares` hold
  std::uint64_t process_limit = 0;       ///< by rlimit, for each id of the sandbox: where no group can hold it. 0: none
};

/// Does it join namespaces of a job's sandbox: is it a sibling, or a service?
inline bool needs_job(const SandboxSpec& spec) {
  return spec.beside || (spec.private_network && spec.private_network->self);
}

std::string encode(const SetupSpec& spec);
Result<SetupSpec> decode_setup_spec(std::string_view text);

std::string encode_groups(const std::vector<GroupShape>& groups);
Result<std::vector<GroupShape>> decode_groups(std::string_view text);

/// Asks the launcher to mount a pool (pool.h). Descriptors: [0] the image, [1] the status socket; the answer carries
/// the pool's top directory.
std::string encode_pool_request(const std::string& mount_point);
/// The mount point, if `text` is such a request.
std::optional<std::string> decode_pool_request(std::string_view text);

/// A set-up that failed: the error begins with the stage.
std::string encode_failure(const Error& error);
/// Nothing: the answer says that set-up is done.
Result<void> decode_answer(std::string_view text);

}  // namespace slipway::sandbox::native
