#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <map>

#include "os/call_limit.h"

namespace slipway::init {

/// The event loop of one thread: descriptors and timers with what to do about them. Callbacks may watch, unwatch and
/// set timers, also of themselves. poll(2) and not epoll: a stream that is paused must not report its hang-up.
class Poller {
 public:
  using Token = std::uint64_t;
  using OnReady = std::function<void()>;
  static constexpr Token kNone = 0;

  Token watch(int fd, short events, OnReady on_ready);
  /// 0: not looked at, until events are given again.
  void set_events(Token token, short events);
  void unwatch(Token token);

  Token at(os::Deadline when, std::function<void()> then);
  /// kNone and timers that have fired are fine.
  void cancel(Token token);

  /// Waits for the next thing that happens and calls what is due. `poll`: something wants to go on at once, so it does
  /// not wait.
  enum class Wait { block, poll };
  void turn(Wait wait = Wait::block);

 private:
  struct Watched {
    int fd = -1;
    short events = 0;
    OnReady on_ready;
  };
  struct Timer {
    Token token = kNone;
    std::function<void()> then;
  };
  void fire_timers();

  std::map<Token, Watched> watched_;
  std::multimap<os::Deadline, Timer> timers_;
  Token last_ = kNone;
};

}  // namespace slipway::init
