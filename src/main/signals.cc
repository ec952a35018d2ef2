#include "main/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <exception>

#include "os/fd.h"
#include "os/wait.h"

namespace slipway::program {

namespace {

sigset_t watched() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

Result<std::unique_ptr<SignalWatch>> SignalWatch::start() {
  sigset_t set = watched();
  ::sigaddset(&set, SIGWINCH);  // not watched here: who follows a terminal's size reads it by a descriptor of its own
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return fail_errno(error, "blocking signals");
  }
  ::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is an error of one write, not the end of the run
  std::unique_ptr<SignalWatch> self(new SignalWatch());
  self->thread_ = std::jthread([raw = self.get()](const std::stop_token& stop) {
    try {
      raw->watch(stop);
    } catch (const std::exception&) {  // a thread's top frame: nobody could stop the process any more
      raw->at_once_.request_stop();
    }
  });
  return self;
}

void SignalWatch::on_signal(std::function<void(int, int)> callback) {
  callback_.with([&](auto& current) { current = std::move(callback); });
}

void SignalWatch::watch(const std::stop_token& stop) {
  const sigset_t set = watched();
  const os::Fd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  for (int count = 1; signals; ++count) {
    if (!os::wait_readable(signals.get(), {stop, os::Deadline::max()})) return;
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof info) != sizeof info) return;
    int none = 0;
    received_.compare_exchange_strong(none, static_cast<int>(info.ssi_signo));
    (count == 1 ? graceful_ : at_once_).request_stop();
    // Called under the lock: whoever takes the callback back knows that it does not run any more.
    callback_.with([&](const auto& current) {
      if (current) current(static_cast<int>(info.ssi_signo), count);
    });
  }
}

}  // namespace slipway::program
