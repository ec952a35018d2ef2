#include "init/poller.h"

#include <algorithm>
#include <cerrno>
#include <vector>

namespace slipway::init {

Poller::Token Poller::watch(int fd, short events, OnReady on_ready) {
  watched_.emplace(++last_, Watched{fd, events, std::move(on_ready)});
  return last_;
}

void Poller::set_events(Token token, short events) {
  if (const auto found = watched_.find(token); found != watched_.end()) found->second.events = events;
}

void Poller::unwatch(Token token) { watched_.erase(token); }

Poller::Token Poller::at(os::Deadline when, std::function<void()> then) {
  timers_.emplace(when, Timer{++last_, std::move(then)});
  return last_;
}

void Poller::cancel(Token token) {
  if (token == kNone) return;
  const auto found = std::ranges::find_if(timers_, [token](const auto& entry) { return entry.second.token == token; });
  if (found != timers_.end()) timers_.erase(found);
}

void Poller::fire_timers() {
  const os::Deadline now = os::Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto then = std::move(timers_.begin()->second.then);
    timers_.erase(timers_.begin());
    then();
  }
}

void Poller::turn(Wait wait) {
  std::vector<pollfd> polled;
  std::vector<Token> tokens;
  polled.reserve(watched_.size());
  tokens.reserve(watched_.size());
  for (const auto& [token, watched] : watched_) {
    if (watched.events == 0) continue;
    polled.push_back({watched.fd, watched.events, 0});
    tokens.push_back(token);
  }
  timespec timeout{};
  const timespec* patience = &timeout;
  if (wait == Wait::block) {
    if (timers_.empty()) {
      patience = nullptr;
    } else {
      const auto left = std::max(timers_.begin()->first - os::Clock::now(), os::Clock::duration::zero());
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
      timeout.tv_sec = seconds.count();
      timeout.tv_nsec = std::chrono::nanoseconds(left - seconds).count();
    }
  }
  const int ready = ::ppoll(polled.data(), polled.size(), patience, nullptr);
  if (ready > 0) {
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      // An earlier callback of this turn may have ended the watch.
      const auto found = watched_.find(tokens[i]);
      if (found == watched_.end()) continue;
      const OnReady on_ready = found->second.on_ready;
      on_ready();
    }
  }
  fire_timers();
}

}  // namespace slipway::init
