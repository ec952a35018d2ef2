#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/log.h"
#include "os/guarded.h"
#include "sandbox/docker/attach.h"
#include "sandbox/docker/container.h"
#include "sandbox/docker/live_container.h"
#include "sandbox/docker/network.h"
#include "sandbox/docker/setup.h"
#include "sandbox/live_sandboxes.h"
#include "sandbox/rootfs/reference.h"
#include "sandbox/sandbox.h"

namespace slipway::sandbox::docker {

struct DockerOptions {
  std::filesystem::path state_dir;     ///< sandboxes/ lies in it
  std::filesystem::path init_program;  ///< the static `slipway-init`, at a path that the daemon sees too
  std::string docker_host;             ///< the environment's DOCKER_HOST; empty: the usual socket
  rootfs::Pull pull = rootfs::Pull::missing;
};

/// Sandboxes as containers of a Docker daemon on this machine. See sandbox.h for the contract.
///
/// The container's first process is `slipway-init`, which connects the leash through a socket that is mounted into it:
/// the same orders, the same journal, the same end as native. Docker's log carries nothing. The daemon removes the
/// container by itself when init ends; what a killed slipway and a killed daemon leave together is swept by label.
class DockerBackend final : public SandboxBackend {
 public:
  /// Asks the daemon what it is: `unavailable` where there is none. `log` outlives it.
  static Result<std::unique_ptr<DockerBackend>> open(DockerOptions options, Log& log);
  ~DockerBackend() override;

  Capabilities capabilities() override;
  Result<ImageFacts> prepare_image(const std::string& image, const ImageProgress& progress,
                                   const os::CallLimit& limit) override;
  Result<Started> start(const SandboxSpec& spec, const os::CallLimit& limit) override;
  Result<std::vector<SandboxId>> list_orphans() override;
  Result<Started> adopt(const SandboxId& id, const os::CallLimit& limit) override;
  Result<void> wait(const SandboxId& id, const os::CallLimit& limit) override;
  Result<Usage> usage(const SandboxId& id) override;
  Result<os::Fd> open_source_file(const SandboxId&, const std::string&) override {
    return fail(ErrorKind::denied, "containers have no siblings");
  }
  Result<void> destroy(const SandboxId& id, const os::CallLimit& limit) override;
  Result<std::vector<SandboxId>> list_abandoned() override;
  Result<void> sweep(const os::CallLimit& limit) override;

 private:
  struct Record {
    SandboxId id;
    SandboxDirectory directory;                // until there is a container
    std::unique_ptr<LiveContainer> container;  // none: it never came to be
    std::vector<MadeMount> mounts;             // to be attached
    std::vector<os::Fd> links;                 // of a job with services: how each joins its network
    os::Fd listener;
    std::int64_t began = 0;  // seconds, as Docker's events count
  };

  DockerBackend(DockerOptions options, std::filesystem::path socket, Log& log);
  bool attaches_mounts() const;  // else what is mounted into a container is copied into it
  Result<void> check(const SandboxSpec& spec) const;
  Result<std::string> user_of(const ImageFacts& image, const os::CallLimit& limit);
  Result<std::string> network_of(const SandboxSpec& spec, const os::CallLimit& limit);
  Result<void> create(const SandboxSpec& spec, Record& record, const os::CallLimit& limit);
  Result<os::Fd> launch(const SandboxSpec& spec, Record& record, const os::CallLimit& limit);
  static Result<void> leave_estate(const SandboxSpec& spec, Record& record, const os::Fd& leash);
  Result<os::Fd> place_network(const SandboxSpec& spec, Setup& setup);
  Result<Ready> fill(const SandboxSpec& spec, Record& record, const os::Fd& leash, const os::CallLimit& limit);
  Result<void> tear_down(Record& record, const os::CallLimit& limit);
  Result<std::string> create_container(const std::filesystem::path& directory, const SandboxId& id,
                                       const std::string& body, const os::CallLimit& limit);
  Result<void> remove_container(const std::string& container, const os::CallLimit& limit);
  Result<void> remove_unanswered(const std::filesystem::path& directory, const SandboxId& id,
                                 const os::CallLimit& limit);
  Result<void> sweep_containers(const os::CallLimit& limit);

  const DockerOptions options_;
  Log& log_;
  Engine engine_;
  DaemonFacts facts_;
  NatNetwork nat_;
  MountMaker mounts_;
  const bool can_attach_;  // mounts from outside
  LiveSandboxes<Record> sandboxes_;
  os::Guarded<std::map<std::string, std::string>> users_;  // by image, `UID` or `UID:GID`; only grows
};

}  // namespace slipway::sandbox::docker
