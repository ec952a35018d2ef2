#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "base/log.h"
#include "os/cgroup.h"
#include "os/guarded.h"
#include "os/message_socket.h"
#include "sandbox/live_sandboxes.h"
#include "sandbox/native/identity.h"
#include "sandbox/native/launcher_link.h"
#include "sandbox/native/nat.h"
#include "sandbox/native/pool.h"
#include "sandbox/native/slots.h"
#include "sandbox/rootfs/image_store.h"
#include "sandbox/sandbox.h"

namespace slipway::sandbox::native {

struct NativeOptions {
  std::filesystem::path state_dir;     ///< sandboxes/ lies in it
  std::filesystem::path runtime_dir;   ///< of the machine (or, rootless, of the user): /run/slipway
  std::filesystem::path init_program;  ///< the static `slipway-init`, readable by everyone
  std::vector<std::string> host_paths = {"/usr", "/etc",
                                         "/opt"};  ///< what `image: host` shows; /bin and /lib* come along
  std::filesystem::path unpack_program;            ///< `slipway-unpack`; only images by name need it
  rootfs::Pull pull = rootfs::Pull::missing;
  std::uint64_t image_bytes = 0;  ///< what images by name may take; 0: no limit
  std::uint64_t pool_bytes = 0;   ///< size of the disk pool's sparse file; 0: half of what is free there
};

/// The images by name that this backend runs.
Result<rootfs::ImageStore> open_images(const NativeOptions& options);

/// Sandboxes of this kernel, without any daemon. See sandbox.h for the contract.
class NativeBackend final : public SandboxBackend {
 public:
  /// Makes the directories it needs. `log` outlives it.
  static Result<std::unique_ptr<NativeBackend>> open(NativeOptions options, Log& log);
  ~NativeBackend() override;

  Capabilities capabilities() override;
  Result<ImageFacts> prepare_image(const std::string& image, const ImageProgress& progress,
                                   const os::CallLimit& limit) override;
  Result<Started> start(const SandboxSpec& spec, const os::CallLimit& limit) override;
  Result<std::vector<SandboxId>> list_orphans() override;
  Result<Started> adopt(const SandboxId& id, const os::CallLimit& limit) override;
  Result<void> wait(const SandboxId& id, const os::CallLimit& limit) override;
  Result<Usage> usage(const SandboxId& id) override;
  Result<os::Fd> open_source_file(const SandboxId& id, const std::string& path) override;
  Result<void> destroy(const SandboxId& id, const os::CallLimit& limit) override;
  Result<std::vector<SandboxId>> list_abandoned() override;
  Result<void> sweep(const os::CallLimit& limit) override;

 private:
  struct Record {
    SandboxId id;
    SandboxDirectory directory;
    os::SandboxCgroup group;
    Slot slot;
    bool in_pool = false;  ///< its disk is one of the pool's
    /// Until set-up is done. Its end of file tells that no process has, or will have, this sandbox.
    std::optional<os::MessageSocket> status;
    os::Fd process;                           ///< pidfd of its first process; none: it has not told yet
    std::uint32_t source_id = 0, job_id = 0;  ///< of the host: `source` and the job's user in it
    bool has_source = false;                  ///< a mount `of_source`
    os::Fd source;                            ///< of a sibling: its source directory, which outlives its processes
    os::Fd network;                           ///< of a job with services: what they join
    os::Fd guard;                             ///< pidfd of what keeps its network (pasta.h), and ends with it
  };

  using Images = std::map<std::string, std::shared_ptr<const rootfs::ReadyImage>>;  // by ImageFacts::image; only grows

  NativeBackend(NativeOptions options, Log& log);
  Result<void> leave_estate(const SandboxSpec& spec, Record& record, const os::Fd& leash, const os::CallLimit& limit);
  Result<void> make_groups(const SandboxSpec& spec, Record& record);
  Result<void> launch(const SandboxSpec& spec, Record& record, int leash, const os::CallLimit& limit);
  Result<void> place_network(const Slot& slot, SetupSpec& setup, const os::CallLimit& limit);
  Result<void> place_disk(const SandboxSpec& spec, Record& record, SetupSpec& setup, const os::CallLimit& limit);
  static Result<void> learn_process(Record& record, const os::CallLimit& limit);
  Result<void> tear_down(Record& record, const os::CallLimit& limit);
  Result<std::vector<std::string>> layers_of(const SandboxSpec& spec);
  Result<std::shared_ptr<Record>> find_job(const Beside& beside);

  const NativeOptions options_;
  Log& log_;
  const os::CgroupRoot groups_;
  const std::uint64_t machine_memory_bytes_;
  const Identity::Kind kind_;
  Slots slots_;
  Nat nat_;
  LauncherLink launcher_;
  Pool pool_;
  const bool has_pool_;
  LiveSandboxes<Record> sandboxes_;
  os::Guarded<Images> images_;
};

}  // namespace slipway::sandbox::native
