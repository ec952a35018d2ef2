#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "journal/tail_ring.h"
#include "journal/writer.h"

namespace slipway::journal {

/// How much of a step's output is kept.
struct LogCap {
  std::uint64_t head_bytes = 64ULL << 20U;
  std::uint64_t tail_bytes = 16ULL << 20U;  ///< 0: no tail. The size of the ring, which parallel steps share.
};

/// Output on its way into the journal: the head of each step at once, the rest into the ring, and at step end the
/// ring behind the head. What is lost, by the cap or by a full disk, is counted in `truncation` records: one when
/// it begins, then at most one a second and step, and an exact one when the step ends.
/// One thread, as the writer. Both outlive this object; `ring` may be null (no tail is kept).
class StepLog {
 public:
  StepLog(Writer& writer, TailRing* ring, LogCap cap);

  /// Never fails: what cannot be kept is counted. A file that cannot be written any more shows at `step_end`.
  void output(std::uint16_t step, Stream stream, std::uint8_t flags, std::string_view bytes, Time now);
  /// Call before the step's `step_finished` is appended, when no more output can come.
  Result<void> step_end(std::uint16_t step, Time now);

  /// Steps from `first` on, of which a job can make many, have `bytes` of the journal together besides their own caps.
  void share_from(std::uint16_t first, std::uint64_t bytes);

  std::uint64_t lost_bytes(std::uint16_t step) const;

 private:
  struct State {
    std::uint64_t kept = 0;  // bytes in the journal
    std::uint64_t lost = 0;
    std::uint64_t held = 0;  // bytes in the ring
    bool past_head = false;
    std::optional<Time> said;  // time of the last truncation record
    Truncation what_was_said;
  };
  std::string_view keep(std::uint16_t step, State& state, const Record& record);
  void push(const Record& record);
  std::uint64_t shared_room(std::uint16_t step) const;
  bool append(State& state, const Record& record);
  Result<void> say(std::uint16_t step, State& state, Time now);
  void say_if_due(Time now);

  Writer& writer_;
  TailRing* ring_;
  LogCap cap_;
  std::uint16_t shared_from_ = kNoStep;
  std::uint64_t shared_left_ = 0;
  std::map<std::uint16_t, State> steps_;
};

}  // namespace slipway::journal
