#include "init/journal_sync.h"

#include <signal.h>
#include <unistd.h>

#include <exception>

namespace slipway::init {

JournalSync::JournalSync(int fd) : fd_(fd) {}

JournalSync::~JournalSync() { stop(); }

void JournalSync::request() {
  if (!wanted_) {
    wanted_ = std::make_unique<os::BoundedQueue<int>>(2);
    // The thread must take none of the signals that the loop waits for.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::jthread([fd = fd_, queue = wanted_.get()](const std::stop_token& stop) {
      try {
        // A failed sync shows in the writer's own, at the end.
        while (!queue->pop(2, {stop, os::Deadline::max()}).empty()) ::fdatasync(fd);
      } catch (const std::exception&) {  // a thread's top frame: the writer's own sync is still to come
      }
    });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  (void)wanted_->try_push(1);  // a full queue holds a request already
}

void JournalSync::stop() {
  if (!thread_.joinable()) return;
  wanted_->close();
  thread_.request_stop();
  thread_.join();
}

}  // namespace slipway::init
