#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "os/message_socket.h"
#include "os/subprocess.h"

namespace slipway::sandbox::native {

/// The owner's end of the launcher: starts it when first needed, and again should it have died. Any thread.
class LauncherLink {
 public:
  LauncherLink(std::filesystem::path program, std::filesystem::path stage, std::vector<std::string> host_paths)
      : program_(std::move(program)), stage_(std::move(stage)), host_paths_(std::move(host_paths)) {}

  /// Counts the launchers so far: what one of them holds is gone when it changes.
  std::uint64_t generation() const { return generation_; }

  Result<void> send(const std::string& request, const std::vector<int>& fds, const os::CallLimit& limit);

 private:
  struct Running {
    os::MessageSocket socket;
    os::Subprocess process;
  };
  Result<void> start();

  const std::filesystem::path program_, stage_;
  const std::vector<std::string> host_paths_;
  std::atomic<std::uint64_t> generation_ = 0;
  std::mutex mutex_;  // one request at a time on the socket; it holds many, so nobody waits for a set-up here
  std::unique_ptr<Running> running_;
};

}  // namespace slipway::sandbox::native
