#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>

#include "base/error.h"
#include "os/fd.h"

namespace slipway::sandbox::native {

/// A number that no other live sandbox of this machine has: user ids and addresses follow from it.
struct Slot {
  int number = -1;
  os::Fd lock;  ///< flock'ed file below the runtime directory; holds the slot's next turn
};

/// Counts the sandboxes of `slot`, over all processes that have it in turn: what is left of the last one may take a
/// moment to go, and the next must not meet it. Begins anywhere.
std::uint32_t next_turn(const Slot& slot);

/// The slots of this process. Taken from the machine by flock, so that a killed process gives its own back; kept for
/// the next sandbox afterwards. Any thread.
class Slots {
 public:
  static constexpr int kMost = 4000;

  explicit Slots(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// `exhausted` when all are taken.
  Result<Slot> take();
  void give_back(Slot slot);

 private:
  const std::filesystem::path directory_;
  std::mutex mutex_;
  std::deque<Slot> free_;  // least recently used first: its remains have had most time to go
};

}  // namespace slipway::sandbox::native
