#pragma once

#include <chrono>
#include <stop_token>

namespace slipway::os {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

/// Bounds one blocking call: it returns by `deadline` (error `timeout`), or soon after `stop` fires (`cancelled`).
struct CallLimit {
  std::stop_token stop;
  Deadline deadline = Deadline::max();
};

inline CallLimit within(std::chrono::milliseconds time, std::stop_token stop = {}) {
  return {std::move(stop), Clock::now() + time};
}

}  // namespace slipway::os
