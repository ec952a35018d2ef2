#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "os/call_limit.h"

namespace slipway::os {

/// A bounded queue between threads. Any thread may push and pop.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  /// Blocks while the queue is full. False: it was closed, or `stop` fired; `value` is dropped.
  bool push(T value, std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, std::move(stop), [&] { return closed_ || items_.size() < capacity_; })) return false;
    if (closed_) return false;
    items_.push_back(std::move(value));
    changed_.notify_all();
    return true;
  }

  /// As `push`, but false instead of waiting: for what may be dropped.
  bool try_push(T value) {
    const std::scoped_lock lock(mutex_);
    if (closed_ || items_.size() >= capacity_) return false;
    items_.push_back(std::move(value));
    changed_.notify_all();
    return true;
  }

  /// Up to `most` items, waiting for the first until `limit`. Empty: deadline, stop, or closed and drained.
  std::vector<T> pop(std::size_t most, const CallLimit& limit) {
    std::vector<T> taken;
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return closed_ || !items_.empty(); };
    // wait_until(max) overflows inside the library: no deadline is a plain wait.
    if (limit.deadline == Deadline::max()) {
      changed_.wait(lock, limit.stop, ready);
    } else {
      changed_.wait_until(lock, limit.stop, limit.deadline, ready);
    }
    while (taken.size() < most && !items_.empty()) {
      taken.push_back(std::move(items_.front()));
      items_.pop_front();
    }
    if (!taken.empty()) changed_.notify_all();
    return taken;
  }

  /// No more pushes; what is in the queue can still be popped.
  void close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace slipway::os
