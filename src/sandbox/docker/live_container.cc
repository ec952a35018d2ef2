#include "sandbox/docker/live_container.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "os/wait.h"

namespace slipway::sandbox::docker {

LiveContainer::LiveContainer(Engine& engine, std::string container, SandboxDirectory directory)
    : engine_(engine),
      container_(std::move(container)),
      directory_(std::move(directory)),
      ended_(::eventfd(0, EFD_CLOEXEC)),
      lost_(::eventfd(0, EFD_CLOEXEC)) {}

Result<void> LiveContainer::watch(const os::CallLimit& limit) {
  if (!ended_ || !lost_) return fail(ErrorKind::exhausted, "no descriptor left to wait with");
  SW_TRY(net::HttpConnection waiting,
         engine_.begin("POST", "/containers/" + container_ + "/wait?condition=removed", limit));
  watcher_ = std::jthread([this, kept = std::make_shared<net::HttpConnection>(std::move(waiting))](
                              const std::stop_token& stop) { run(stop, std::move(*kept)); });
  return {};
}

void LiveContainer::leave_start(net::HttpConnection starting) {
  shared_.with([&](Shared& shared) { shared.starting = std::make_unique<net::HttpConnection>(std::move(starting)); });
}

void LiveContainer::run(const std::stop_token& stop, net::HttpConnection waiting) {
  const auto told = engine_.receive(std::move(waiting), {.stop = stop});
  if (!told && told.error().kind == ErrorKind::cancelled) return;
  // Read to its end at last, so that the connection can serve again; what it says has been seen by then.
  if (auto starting = shared_.with([](Shared& shared) { return std::move(shared.starting); })) {
    (void)engine_.receive(std::move(*starting), os::within(std::chrono::seconds(1), stop));
  }
  const bool gone = told || told.error().kind == ErrorKind::not_found;
  end(gone ? State::removed : State::lost);
}

void LiveContainer::end(State state) {
  shared_.with([&](Shared& shared) { shared.state = state; });
  const std::uint64_t one = 1;
  for (const int fd : {state == State::lost ? lost_.get() : ended_.get(), ended_.get()}) {
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);  // cannot fail: far from full
  }
}

LiveContainer::State LiveContainer::state() {
  return shared_.with([](const Shared& shared) { return shared.state; });
}

void LiveContainer::follow(pid_t process) {
  if (process <= 0) return;
  follow(process, os::Fd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0))));
}

void LiveContainer::follow(pid_t number, os::Fd process) {
  pid_ = number;
  process_ = std::move(process);
  groups_ = os::groups_of(number);
  if (!has_processes()) groups_.clear();  // it has ended, and the number may be another's
}

os::Fd LiveContainer::lost() const { return os::Fd(::fcntl(lost_.get(), F_DUPFD_CLOEXEC, 3)); }

Result<void> LiveContainer::wait_for_processes(const os::CallLimit& limit) {
  std::vector<int> fds = {ended_.get()};
  if (process_) fds.push_back(process_.get());
  SW_CHECK(os::wait_any_readable(fds, limit));
  if (state() == State::lost) return fail(ErrorKind::unavailable, "the Docker daemon went away");
  return {};
}

Result<void> LiveContainer::end_processes(const os::CallLimit& limit) {
  if (!process_) return fail(ErrorKind::unavailable, "the Docker daemon went away, and may have left a container");
  // Refused to who is not root: init ends by itself then, since its leash is closed.
  (void)::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
  return os::wait_readable(process_.get(), limit);
}

bool LiveContainer::has_processes() const {
  if (!process_) return true;
  pollfd polled{process_.get(), POLLIN, 0};
  return ::poll(&polled, 1, 0) == 0;
}

Result<void> LiveContainer::wait_for_removal(const os::CallLimit& limit) {
  if (!watcher_.joinable()) return {};
  SW_CHECK(os::wait_readable(ended_.get(), limit));
  if (state() == State::lost) return fail(ErrorKind::unavailable, "the Docker daemon went away");
  return {};
}

os::CgroupFigures LiveContainer::figures() {
  os::CgroupFigures all;
  for (const os::CgroupDirectory& group : groups_) {
    const os::CgroupFigures one = os::figures_of(group);
    all.cpu_micros += one.cpu_micros;
    all.memory_peak_bytes += one.memory_peak_bytes;
    all.out_of_memory_kills += one.out_of_memory_kills;
  }
  return all;
}

std::optional<os::CgroupDirectory> LiveContainer::memory_group() const {
  for (const os::CgroupDirectory& group : groups_) {
    if ((group.controllers & os::CgroupDirectory::memory) == 0) continue;
    os::Fd copy(::fcntl(group.fd.get(), F_DUPFD_CLOEXEC, 3));
    if (copy) return os::CgroupDirectory{std::move(copy), group.version, os::CgroupDirectory::memory, group.use};
  }
  return {};
}

}  // namespace slipway::sandbox::docker
