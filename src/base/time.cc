#include "base/time.h"

#include <ctime>

#include <fmt/format.h>

namespace slipway {

std::string to_rfc3339(Time time) {
  const std::int64_t micros = to_micros(time);
  std::int64_t seconds = micros / 1'000'000;
  std::int64_t rest = micros % 1'000'000;
  if (rest < 0) {
    rest += 1'000'000;
    --seconds;
  }
  const std::time_t when = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&when, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, rest / 1000);
}

std::string to_short_text(Duration duration) {
  const auto micros = duration.count();
  if (micros < 1'000'000) return fmt::format("{} ms", micros / 1000);
  if (micros < 60'000'000) return fmt::format("{}.{} s", micros / 1'000'000, micros / 100'000 % 10);
  const auto seconds = micros / 1'000'000;
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

}  // namespace slipway
