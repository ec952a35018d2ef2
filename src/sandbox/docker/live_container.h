#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "os/cgroup.h"
#include "os/guarded.h"
#include "sandbox/docker/engine.h"
#include "sandbox/sandbox_directory.h"

namespace slipway::sandbox::docker {

/// A container from its creation to its removal, watched by a thread of its own: the answer to "wait until it is
/// removed" is asked for before it starts.
class LiveContainer {
 public:
  enum class State { there, removed, lost };

  /// `container`: as the daemon names it. `directory` is kept locked as long as this lives.
  LiveContainer(Engine& engine, std::string container, SandboxDirectory directory);

  const std::string& container() const { return container_; }
  SandboxDirectory& directory() { return directory_; }

  /// Asks for its removal to be told. To be called once, before the start.
  Result<void> watch(const os::CallLimit& limit);
  /// The answer to the start, where it is not there yet: read by the watching thread, first of all.
  void leave_start(net::HttpConnection starting);

  /// Its first process, from the leash's other end.
  void follow(pid_t process);
  /// The same, which another process has followed before.
  void follow(pid_t number, os::Fd process);
  int process() const { return process_.get(); }
  pid_t process_id() const { return pid_; }
  bool is_followed() const { return static_cast<bool>(process_); }

  /// Readable when it is removed or lost.
  int ended() const { return ended_.get(); }
  /// A copy; readable when the daemon went away.
  os::Fd lost() const;
  State state();

  /// Until its last process is gone. `unavailable`: the daemon is.
  Result<void> wait_for_processes(const os::CallLimit& limit);
  /// Without the daemon: kills its first process, and with it all others, and waits until it is gone.
  Result<void> end_processes(const os::CallLimit& limit);
  /// Until the daemon has removed it.
  Result<void> wait_for_removal(const os::CallLimit& limit);
  bool has_processes() const;

  os::CgroupFigures figures();
  std::optional<os::CgroupDirectory> memory_group() const;

 private:
  struct Shared {
    State state = State::there;
    std::unique_ptr<net::HttpConnection> starting;
  };
  void run(const std::stop_token& stop, net::HttpConnection waiting);
  void end(State state);

  Engine& engine_;
  const std::string container_;
  SandboxDirectory directory_;
  os::Fd ended_, lost_;  // eventfds
  os::Fd process_;       // pidfd; none: it is in a pid namespace that cannot be seen from here
  std::vector<os::CgroupDirectory> groups_;
  pid_t pid_ = 0;
  os::Guarded<Shared> shared_;
  std::jthread watcher_;
};

}  // namespace slipway::sandbox::docker
