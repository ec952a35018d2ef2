#include "sandbox/native/launcher_link.h"

#include "os/files.h"
#include "sandbox/native/launcher.h"

namespace slipway::sandbox::native {

Result<void> LauncherLink::start() {
  SW_TRY(os::SocketPair pair, os::make_socket_pair());
  std::vector<std::string> argv = {program_.string(), "launcher", stage_.string()};
  argv.insert(argv.end(), host_paths_.begin(), host_paths_.end());
  auto process = os::Subprocess::start({.argv = std::move(argv),
                                        .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                                        .working_dir = "/",
                                        .fds = {{pair.second.get(), kLauncherSocket}}});
  if (!process) return wrap(process.error(), "starting the sandbox launcher");
  ++generation_;
  running_ = std::make_unique<Running>(Running{os::MessageSocket(std::move(pair.first)), std::move(*process)});
  return {};
}

Result<void> LauncherLink::send(const std::string& request, const std::vector<int>& fds, const os::CallLimit& limit) {
  const std::scoped_lock lock(mutex_);
  const bool fresh = running_ == nullptr;
  if (fresh) SW_CHECK(start());
  auto sent = running_->socket.send(request, fds, limit);
  if (!sent && sent.error().kind == ErrorKind::unavailable && !fresh) {
    running_.reset();
    SW_CHECK(start());
    sent = running_->socket.send(request, fds, limit);
  }
  if (!sent) running_.reset();  // half a message may be on the socket
  return sent;
}

}  // namespace slipway::sandbox::native
