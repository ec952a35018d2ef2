#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace slipway {

using Duration = std::chrono::microseconds;

/// Wall-clock time, UTC, in microseconds: what is stored and shown. Waiting uses the steady clock (os/call_limit.h).
using Time = std::chrono::time_point<std::chrono::system_clock, Duration>;

inline std::int64_t to_micros(Time time) { return time.time_since_epoch().count(); }
inline Time from_micros(std::int64_t micros) { return Time(Duration(micros)); }

/// RFC 3339 in UTC with milliseconds: `2026-11-21T08:44:00.123Z`.
std::string to_rfc3339(Time time);

/// For people: `850 ms`, `12.3 s`, `4m05s`, `2h07m`.
std::string to_short_text(Duration duration);

}  // namespace slipway
