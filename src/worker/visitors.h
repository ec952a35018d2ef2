#pragma once

#include <functional>
#include <map>
#include <vector>

#include "os/message_socket.h"
#include "wire/leash.h"
#include "worker/attempt_control.h"

namespace slipway::worker {

/// The people who look into one running job (wire/visits.h), between their sockets and the leash. The driver's thread.
class Visitors {
 public:
  using Send = std::function<Result<void>(const wire::ToInit&)>;

  Visitors(AttemptControl& control, Send send) : control_(control), send_(std::move(send)) {}

  /// Those who came since. An error is the leash's.
  Result<void> let_in();
  /// Their sockets: readable is who has gone.
  std::vector<int> sockets() const;
  /// The one whose socket this is has gone.
  Result<void> see_off(int socket);

  void attached(const wire::Attached& answer, const std::vector<os::Fd>& fds);
  void ended(const wire::AttachEnded& end);

 private:
  Result<void> serve(AttemptControl::Visit visit);
  void answer(os::MessageSocket& visitor, const wire::VisitReply& reply, const std::vector<int>& fds);

  AttemptControl& control_;
  Send send_;
  std::map<std::uint64_t, os::MessageSocket> attached_;  // by the id of the leash's `Attach`
  std::uint64_t last_id_ = 0;
};

}  // namespace slipway::worker
