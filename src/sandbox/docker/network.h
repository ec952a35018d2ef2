#pragma once

#include <mutex>
#include <string>

#include "base/log.h"
#include "sandbox/docker/engine.h"

namespace slipway::sandbox::docker {

/// `network: nat` on Docker: one bridge network of the daemon's for every sandbox, whose containers do not reach each
/// other. Made once, kept: it is the daemon's like an image. As root, rules of the host keep its containers from the
/// host's own services, from other bridges and from metadata addresses; without root Docker has nothing for that.
/// Any thread.
class NatNetwork {
 public:
  NatNetwork(Engine& engine, Log& log) : engine_(engine), log_(log) {}

  /// The network's name, once it is there.
  Result<std::string> prepare(const os::CallLimit& limit);
  /// Are there rules of the host's?
  static bool has_walls();

 private:
  Engine& engine_;
  Log& log_;
  std::mutex mutex_;
  bool ready_ = false;
};

}  // namespace slipway::sandbox::docker
