#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
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
  /// Names at its top that the sandbox does not see: {".git"}.
  std::vector<std::string> hidden = {};
  /// An overlay whose files belong to `source` (ids.h), the user that siblings write as; the sandbox itself sees it
  /// noexec, nosuid and nodev. At most one mount is it, at `workspace`/src.
  bool of_source = false;
};

/// A sibling: another sandbox for untrusted source, beside that of the job code which asked for it. It shares no id,
/// process, socket or file with it but these.
struct Beside {
  SandboxId job;        ///< started by this backend, and alive
  bool source = false;  ///< its mount `of_source` is this sandbox's `workspace`/src too, to write and to execute
  /// Directories of the job below its workspace, absolute and clean: seen at the same place, with the files of the
  /// job's user as this sandbox's runner's and the reverse. `denied`: not a directory, or reached through a link.
  std::vector<std::string> shares = {};
};

struct Limits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<double> cpus;
  std::optional<std::uint64_t> pids;
  std::optional<std::uint64_t> disk_bytes;  ///< root, /tmp and the workspace together
};

/// Which numbers of `Limits` are held to: shown by `doctor`, told to the user once where one is missing.
struct LimitsHeld {
  bool memory = false, cpus = false, pids = false;
  bool disk = false;                              ///< of any size; false: `disk_how` says which are
  bool step_figures = false, io_figures = false;  ///< of each step: memory and processor; bytes read and written
  std::string disk_how;                           ///< for people: "in memory (tmpfs); above half of ..."
};

/// The network that a job shares with its services and nobody else: each of them reaches the others by name.
struct PrivateNetwork {
  SandboxId job;                      ///< the job's sandbox, which is there before those of its services
  std::vector<std::string> services;  ///< their host names, at most kMost
  std::optional<std::size_t> self;    ///< which of them this sandbox is; no value: the job itself
  static constexpr std::size_t kMost = 50;
};

struct SandboxSpec {
  SandboxId id;
  std::string image = "host";  ///< `ImageFacts::image` of an image that is prepared; `host` and directories as they are
  std::vector<Mount> mounts;   ///< in order; a later one may lie inside an earlier one
  model::Network network = model::Network::nat;
  Limits limits;
  model::RunAs run_as;  ///< who the steps are, unless a step says otherwise
  std::string workspace = "/job";
  std::string hostname = "slipway";
  bool read_only_root = false;
  bool nested = false;
  std::vector<std::string> devices;  ///< of the host's /dev, by name below it (`kvm`), which the operator has allowed
  std::optional<Beside> beside;
  std::optional<PrivateNetwork> private_network;  ///< not with Network::host
  /// How long it runs on without its owner, for another one to `adopt` it. 0: it ends with its owner. Not of a sibling.
  Duration orphan_grace{0};
};

/// What an image says of itself, and how it is to be asked for from now on.
struct ImageFacts {
  std::string image;                    ///< for `SandboxSpec::image`: the same content, wherever its name is moved to
  std::string digest;                   ///< of its manifest (`sha256:...`); empty for `host` and directories
  std::vector<std::string> entrypoint;  ///< entrypoint and command; empty: it has none
  std::vector<std::pair<std::string, std::string>> env;
  std::string working_dir;  ///< empty: it says nothing
  std::string user;         ///< `UID` or `UID:GID`, names already looked up in the image; empty: it says nothing (root)
};

/// How the making of an image goes on: `text` for people (`debian:12: fetching`), bytes where they are known.
struct ImageNews {
  std::string text;
  std::uint64_t done_bytes = 0, total_bytes = 0;  ///< 0: not known
};
/// Called on the thread that prepares, a few times a second at most. May be null.
using ImageProgress = std::function<void(const ImageNews&)>;

/// A sandbox whose `slipway-init` waits for its orders on the leash (wire/leash.h). Closing the leash ends it, at once
/// or after its `orphan_grace`.
struct Started {
  SandboxId id;
  os::Fd leash;
  os::Fd lost = {};       ///< readable when whoever keeps the sandbox (a daemon) is gone; none: nobody else does
  std::string note = {};  ///< of one that was adopted: wire::Note, as its last owner left it
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
  std::string network_nat_by;  ///< what makes it: "nftables", "pasta"
  std::string groups;          ///< where limits are set: "v1", "v2 below /sys/fs/cgroup/...", empty: nowhere
  std::string user_ids;        ///< where those of a sandbox come from
  bool many_user_ids = true;   ///< false: everything in a sandbox has one id
  bool image_directory = false;
  bool named_images = false;  ///< and what fetches them is installed
  bool nested = false;
  bool siblings = false;           ///< `Beside` and `Mount::of_source`
  std::string no_adoption;         ///< why `orphan_grace` is refused; empty: sandboxes can outlive their owner
  std::vector<std::string> notes;  ///< what is missing and how to get it, for `doctor`
};

/// Runs sandboxes. Backends: native/, docker/ and fake/.
///
/// Contract, proved for every backend by sandbox/contract_test.cc:
///  - an image by name is prepared before `start` is asked for it;
///  - any thread may call; calls on different sandboxes never block each other;
///  - a call returns by `limit.deadline`, or soon after `limit.stop` fires;
///  - when the leash closes, every process of the sandbox ends within a second, or one after its `orphan_grace`;
///  - until then nobody else can take what is its own (ids, addresses, disk), whether it has an owner or not;
///  - `destroy` ends what still runs, is idempotent and leaves nothing behind, even after a failed `start`;
///  - `list_abandoned` names every sandbox directory whose owner is dead and whose sandbox does not wait for another;
///    `sweep` destroys those, and only those.
class SandboxBackend {
 public:
  virtual ~SandboxBackend() = default;
  virtual Capabilities capabilities() = 0;
  /// Makes `image`, as a user names it, ready for `start` (fetched and unpacked where that is not done already), and
  /// keeps it ready as long as this backend lives. May take minutes; several callers who want one image fetch it once.
  /// What `facts.image` says may be prepared again, and then needs no network while the content is here.
  /// Nothing to do for `host` and directories: their facts are empty but for `image`.
  /// Errors: `invalid` (not an image's name, or not an image), `not_found`, `denied` (credentials), `exhausted` (too
  /// large), `unavailable` (network, registry, a program that is not installed).
  virtual Result<ImageFacts> prepare_image(const std::string& image, const ImageProgress& progress,
                                           const os::CallLimit& limit) = 0;
  virtual Result<Started> start(const SandboxSpec& spec, const os::CallLimit& limit) = 0;
  /// Those that run without an owner, until their `orphan_grace` is over. One without orders does not: it has ended.
  virtual Result<std::vector<SandboxId>> list_orphans() = 0;
  /// Makes this process the owner of an orphan: `wait`, `usage` and `destroy` work as if it had started it, and on the
  /// leash its init goes on (wire/leash.h). Of those beside it nothing is left, and it can have no services any more.
  /// Errors: `conflict` (it has an owner), `not_found` (it has ended, or never was; what it left is swept).
  virtual Result<Started> adopt(const SandboxId& id, const os::CallLimit& limit) = 0;
  /// Blocks until the sandbox's last process is gone. `unavailable`: whoever keeps it is, and what became of it is not
  /// known.
  virtual Result<void> wait(const SandboxId& id, const os::CallLimit& limit) = 0;
  virtual Result<Usage> usage(const SandboxId& id) = 0;
  /// A regular file below `workspace`/src as a sibling left it, to be read: once `wait` has returned, before `destroy`.
  /// `denied`: it is reached through a link or a mount, or is no regular file; `not_found`.
  virtual Result<os::Fd> open_source_file(const SandboxId& id, const std::string& path) = 0;
  virtual Result<void> destroy(const SandboxId& id, const os::CallLimit& limit) = 0;
  virtual Result<std::vector<SandboxId>> list_abandoned() = 0;
  virtual Result<void> sweep(const os::CallLimit& limit) = 0;
};

}  // namespace slipway::sandbox
