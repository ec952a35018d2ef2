#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include "base/error.h"
#include "os/fd.h"
#include "os/guarded.h"
#include "wire/leash.h"

namespace slipway::worker {

/// How other threads reach an attempt that is being driven: they leave an order and wake its thread.
class AttemptControl {
 public:
  static Result<AttemptControl> make();

  /// Any thread; never blocks. A later, stronger order (`at_once`) replaces an earlier one.
  void cancel(wire::Cancel order);

  /// The driver's thread: readable when there is an order to take.
  int wake_fd() const { return wake_.get(); }
  std::optional<wire::Cancel> take();
  /// Fires with the first order: for what blocks the driver's thread before there is a job to tell it to.
  std::stop_token stopping() const { return stop_.get_token(); }
  /// Fires with an order that allows no grace: for what stores a job's results.
  std::stop_token stopping_at_once() const { return at_once_.get_token(); }

 private:
  explicit AttemptControl(os::Fd wake);
  os::Fd wake_;
  std::stop_source stop_, at_once_;
  std::unique_ptr<os::Guarded<std::optional<wire::Cancel>>> order_;
};

}  // namespace slipway::worker
