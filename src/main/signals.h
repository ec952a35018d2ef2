#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

#include "base/error.h"
#include "os/guarded.h"

namespace slipway::program {

/// Turns SIGINT, SIGTERM and SIGHUP into stop requests: the first asks gracefully, the next one within the process's
/// life at once. Made in main before any other thread, so that all of them inherit the blocked signals.
class SignalWatch {
 public:
  static Result<std::unique_ptr<SignalWatch>> start();

  std::stop_token graceful() const { return graceful_.get_token(); }
  std::stop_token at_once() const { return at_once_.get_token(); }
  /// As if a signal had come, without one: nobody reads our output any more.
  void request_stop() { graceful_.request_stop(); }
  /// The first signal that came; 0: none.
  int received() const { return received_.load(); }
  /// Called on the watching thread at each signal, with its number and how many came. Empty: nothing is.
  void on_signal(std::function<void(int signal, int count)> callback);

 private:
  SignalWatch() = default;
  void watch(const std::stop_token& stop);

  std::stop_source graceful_, at_once_;
  std::atomic<int> received_{0};
  os::Guarded<std::function<void(int, int)>> callback_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace slipway::program
