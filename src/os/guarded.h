#pragma once

#include <mutex>
#include <utility>

namespace slipway::os {

/// A value that cannot be touched without its lock.
/// Keep the callback short: no I/O, no logging, no other Guarded inside it.
template <class T>
class Guarded {
 public:
  template <class... Args>
  explicit Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}

  template <class F>
  auto with(F&& f) {  // `auto`, not `decltype(auto)`: a reference into value_ cannot escape
    const std::scoped_lock lock(mutex_);
    return std::forward<F>(f)(value_);
  }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace slipway::os
