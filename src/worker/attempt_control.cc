#include "worker/attempt_control.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace slipway::worker {

namespace {

constexpr std::size_t kMaxWaiting = 64;  // who came before there is a sandbox to look into

}  // namespace

AttemptControl::AttemptControl(os::Fd wake, Breaks breaks)
    : breaks_(std::move(breaks)),
      wake_(std::move(wake)),
      order_(std::make_unique<os::Guarded<std::optional<wire::Cancel>>>()),
      visits_(std::make_unique<os::Guarded<std::vector<Visit>>>()),
      state_(std::make_unique<os::Guarded<wire::LiveJob>>()) {}

Result<AttemptControl> AttemptControl::make(Breaks breaks) {
  os::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno(errno, "eventfd");
  return AttemptControl(std::move(wake), std::move(breaks));
}

void AttemptControl::cancel(wire::Cancel order) {
  order_->with([&](std::optional<wire::Cancel>& pending) {
    if (!pending || order.at_once) pending = order;
  });
  stop_.request_stop();
  if (order.at_once) at_once_.request_stop();
  wake();
}

void AttemptControl::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);  // cannot block: the count is tiny
}

Result<void> AttemptControl::visit(Visit visit) {
  const bool taken = visits_->with([&](std::vector<Visit>& waiting) {
    if (waiting.size() >= kMaxWaiting) return false;
    waiting.push_back(std::move(visit));
    return true;
  });
  if (!taken) return fail(ErrorKind::exhausted, "too many are waiting for this job already");
  wake();
  return {};
}

wire::LiveJob AttemptControl::state() const {
  return state_->with([](const wire::LiveJob& state) { return state; });
}

std::vector<AttemptControl::Visit> AttemptControl::take_visits() {
  return visits_->with([](std::vector<Visit>& waiting) { return std::exchange(waiting, {}); });
}

void AttemptControl::set_state(wire::LiveJob state) {
  state_->with([&](wire::LiveJob& kept) { kept = std::move(state); });
}

std::optional<wire::Cancel> AttemptControl::take() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);  // only clears the wake-up
  return order_->with([](std::optional<wire::Cancel>& pending) { return std::exchange(pending, std::nullopt); });
}

}  // namespace slipway::worker
