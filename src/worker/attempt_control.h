#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/error.h"
#include "os/fd.h"
#include "os/guarded.h"
#include "os/message_socket.h"
#include "wire/leash.h"

namespace slipway::worker {

/// How other threads reach an attempt that is being driven: they leave an order and wake its thread.
class AttemptControl {
 public:
  /// Someone who wants to look into the job; answered over `visitor`.
  struct Visit {
    wire::VisitRequest request;
    os::MessageSocket visitor;
  };
  /// Where the job is to be held for people.
  struct Breaks {
    std::vector<wire::Breakpoint> at;
    Duration hold_limit{0};
  };

  static Result<AttemptControl> make() { return make(Breaks()); }
  static Result<AttemptControl> make(Breaks breaks);

  const Breaks& breaks() const { return breaks_; }

  /// Any thread; never blocks. A later, stronger order (`at_once`) replaces an earlier one.
  void cancel(wire::Cancel order);

  /// Any thread; never blocks. Answered once the job's init is there. `exhausted`: too many wait already.
  Result<void> visit(Visit visit);
  /// Any thread: where the job is held; run and job are left empty.
  wire::LiveJob state() const;

  /// The driver's thread.
  std::vector<Visit> take_visits();
  void set_state(wire::LiveJob state);

  /// The driver's thread: readable when there is an order or a visit to take.
  int wake_fd() const { return wake_.get(); }
  std::optional<wire::Cancel> take();
  /// Fires with the first order: for what blocks the driver's thread before there is a job to tell it to.
  std::stop_token stopping() const { return stop_.get_token(); }
  /// Fires with an order that allows no grace: for what stores a job's results.
  std::stop_token stopping_at_once() const { return at_once_.get_token(); }

 private:
  AttemptControl(os::Fd wake, Breaks breaks);
  void wake();
  Breaks breaks_;
  os::Fd wake_;
  std::stop_source stop_, at_once_;
  std::unique_ptr<os::Guarded<std::optional<wire::Cancel>>> order_;
  std::unique_ptr<os::Guarded<std::vector<Visit>>> visits_;
  std::unique_ptr<os::Guarded<wire::LiveJob>> state_;
};

}  // namespace slipway::worker
