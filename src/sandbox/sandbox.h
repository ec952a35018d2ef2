#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "model/definition.h"
#include "os/call_limit.h"
#include "os/fd.h"

namespace slipway::sandbox {

/// What the sandbox sees at `inside` (an absolute path).
struct Mount {
  enum class Kind {
    overlay,    ///< `outside` as it is, writes go to the sandbox's own disk and are lost with it
    read_only,  ///< `outside` itself, noexec nosuid nodev where `plain_data`
  } kind = Kind::overlay;
  std::filesystem::path outside;
  std::string inside;
  bool plain_data = false;
  /// Files of this host user appear as the job's own user (an idmapped mount); no value: as nobody's.
  std::optional<std::uint32_t> owner;
  /// Files below it (relative, clean) that the sandbox sees with another text, as the job's own: {".git/config",
  /// "..."}.
  std::vector<std::pair<std::string, std::string>> replaced = {};
};

struct Limits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<double> cpus;
  std::optional<std::uint64_t> pids;
  std::optional<std::uint64_t> disk_bytes;  ///< root, /tmp and the workspace together
};

/// Where the numbers of `Limits` are held to: shown by `plan`, told to the user once where one is missing.
struct LimitsHeld {
  bool memory = false, cpus = false, pids = false;
  std::string disk;  ///< "tmpfs", "btrfs quota", "none", ...
  bool step_figures = false;
};

struct SandboxSpec {
  SandboxId id;
  std::string image = "host";  ///< `host` or an absolute directory
  std::vector<Mount> mounts;   ///< in order; a later one may lie inside an earlier one
  model::Network network = model::Network::nat;
  Limits limits;
  model::RunAs run_as;  ///< who the steps are, unless a step says otherwise
  std::string workspace = "/job";
  std::string hostname = "slipway";
  bool read_only_root = false;
  bool nested = false;
};

/// A sandbox whose `slipway-init` waits for its orders on the leash (wire/leash.h). Closing the leash ends it.
struct Started {
  SandboxId id;
  os::Fd leash;
};

struct Usage {
  std::uint64_t cpu_micros = 0, memory_peak_bytes = 0;
  std::uint64_t out_of_memory_kills = 0;
};

/// What a backend can do here, asked once.
struct Capabilities {
  std::string name;
  LimitsHeld limits;
  bool network_nat = false;
  bool image_directory = false;
  bool nested = false;
  std::vector<std::string> notes;  ///< what is missing and how to get it, for `doctor`
};

/// Runs sandboxes. Backends: native/ and fake/.
///
/// Contract, proved for every backend by sandbox/contract_test.cc:
///  - any thread may call; calls on different sandboxes never block each other;
///  - a call returns by `limit.deadline`, or soon after `limit.stop` fires;
///  - when the leash closes, every process of the sandbox ends within a second;
///  - `destroy` ends what still runs, is idempotent and leaves nothing behind, even after a failed `start`;
///  - `list` names every sandbox directory whose owner is dead; `sweep` destroys those, and only those.
class SandboxBackend {
 public:
  virtual ~SandboxBackend() = default;
  virtual Capabilities capabilities() = 0;
  virtual Result<Started> start(const SandboxSpec& spec, const os::CallLimit& limit) = 0;
  /// Blocks until the sandbox's last process is gone.
  virtual Result<void> wait(const SandboxId& id, const os::CallLimit& limit) = 0;
  virtual Result<Usage> usage(const SandboxId& id) = 0;
  virtual Result<void> destroy(const SandboxId& id, const os::CallLimit& limit) = 0;
  virtual Result<std::vector<SandboxId>> list_abandoned() = 0;
  virtual Result<void> sweep(const os::CallLimit& limit) = 0;
};

}  // namespace slipway::sandbox
