#pragma once

#include <memory>
#include <thread>

#include "os/queue.h"

namespace slipway::init {

/// Puts the journal on the disk without stalling the thread that writes it: fdatasync waits for the disk, a job's
/// output must not. The thread is started by the first request: a short job never needs it.
class JournalSync {
 public:
  /// `fd` outlives this object.
  explicit JournalSync(int fd);
  ~JournalSync();

  /// Returns at once; requests that find one waiting are the same request.
  void request();
  /// Ends the thread; waits for a sync that is under way.
  void stop();

 private:
  int fd_;
  std::unique_ptr<os::BoundedQueue<int>> wanted_;
  std::jthread thread_;
};

}  // namespace slipway::init
