#include "os/wait.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "os/fd.h"

namespace slipway::os {

namespace {

constexpr int kPollMaxMs = 60'000;

}  // namespace

Result<std::vector<std::size_t>> wait_any_readable(std::span<const int> fds, const CallLimit& limit) {
  if (fds.size() > kMaxWaited) return fail(ErrorKind::exhausted, "waiting for too many descriptors");
  std::vector<pollfd> polled;
  polled.reserve(fds.size() + 1);
  for (const int fd : fds) polled.push_back({fd, POLLIN, 0});
  Fd wake;
  if (limit.stop.stop_possible()) {
    wake = Fd(::eventfd(0, EFD_CLOEXEC));
    if (!wake) return fail_errno(errno, "eventfd");
    polled.push_back({wake.get(), POLLIN, 0});
  }
  // Runs on the stopping thread, or right here when already stopped; it only pokes the eventfd.
  // Declared after `wake`, so it is unregistered before the descriptor closes.
  std::stop_callback poke(limit.stop, [fd = wake.get()] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);  // cannot fail on a fresh eventfd
  });
  for (;;) {
    const auto left = limit.deadline - Clock::now();
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const int ready =
        ::poll(polled.data(), polled.size(), static_cast<int>(std::clamp<std::int64_t>(ms, 0, kPollMaxMs)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno(errno, "poll");
    if (wake && polled.back().revents != 0) return fail(ErrorKind::cancelled, "stop requested");
    std::vector<std::size_t> readable;
    for (std::size_t i = 0; i < fds.size(); ++i) {
      if (polled[i].revents != 0) readable.push_back(i);
    }
    if (!readable.empty()) return readable;
    if (left <= left.zero()) return fail(ErrorKind::timeout, "waiting for input");
  }
}

Result<void> wait_readable(int fd, const CallLimit& limit) {
  SW_CHECK(wait_any_readable(std::span<const int>(&fd, 1), limit));
  return {};
}

}  // namespace slipway::os
