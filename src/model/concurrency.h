#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "model/definition.h"
#include "model/run.h"

namespace slipway::model {

/// Who takes part in a concurrency group: a run as a whole, or one job of it.
struct Holder {
  RunId run;
  std::optional<JobIndex> job;
  auto operator<=>(const Holder&) const = default;
};

/// Named groups of which one member runs at a time, across all runs that share this value. Pure; owned by one thread.
/// Nothing is dropped silently: whoever loses its place is named in the answer.
class ConcurrencyGroups {
 public:
  static constexpr std::size_t kMaxWaiting = 100;  ///< in one group

  struct Answer {
    enum class Verdict {
      entered,
      waits,    ///< `leave` will name it in time
      refused,  ///< kMaxWaiting are waiting already
    } verdict = Verdict::entered;
    std::vector<Holder> displaced;    ///< waited, and will not run any more: a newer one took the place
    std::optional<Holder> to_cancel;  ///< runs, and has to be cancelled; its `leave` lets the next one in
  };

  /// queue: waits its turn. latest: waits, in place of those that wait already. cancel_running: as latest, and the
  /// one that runs has to go. Asking again changes nothing.
  Answer enter(const std::string& group, Concurrency::Policy policy, const Holder& who);

  /// `who` is done with the group, or no longer wants it. Returns who is in now, if that changed.
  std::optional<Holder> leave(const std::string& group, const Holder& who);

  std::size_t waiting(const std::string& group) const;

 private:
  struct Members {
    Holder inside;
    std::deque<Holder> waiting;
  };
  std::map<std::string, Members> groups_;
};

}  // namespace slipway::model
