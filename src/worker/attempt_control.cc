#include "worker/attempt_control.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace slipway::worker {

AttemptControl::AttemptControl(os::Fd wake)
    : wake_(std::move(wake)), order_(std::make_unique<os::Guarded<std::optional<wire::Cancel>>>()) {}

Result<AttemptControl> AttemptControl::make() {
  os::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno(errno, "eventfd");
  return AttemptControl(std::move(wake));
}

void AttemptControl::cancel(wire::Cancel order) {
  order_->with([&](std::optional<wire::Cancel>& pending) {
    if (!pending || order.at_once) pending = order;
  });
  stop_.request_stop();
  if (order.at_once) at_once_.request_stop();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);  // cannot block: the count is tiny
}

std::optional<wire::Cancel> AttemptControl::take() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);  // only clears the wake-up
  return order_->with([](std::optional<wire::Cancel>& pending) { return std::exchange(pending, std::nullopt); });
}

}  // namespace slipway::worker
