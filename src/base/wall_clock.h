#pragma once

#include "base/time.h"

namespace slipway {

/// Now. For programs and threads' top frames only: what decides is given the time, and does not include this.
inline Time wall_now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

}  // namespace slipway
