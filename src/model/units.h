#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

/// How amounts are written, strictly: what could be meant in two ways is refused and says what could be meant.
namespace slipway::model {

struct UnitError {
  std::string message;
  std::string hint;
};
template <class T>
using Parsed = std::expected<T, UnitError>;

/// `90s`, `10m`, `1h30m`, `250ms`, `30d`; whole numbers, larger units first, at most 3650d.
Parsed<Duration> parse_duration(std::string_view text);
/// Bytes: `512MiB`, `512Mi`, `10G`, `4kB`; k M G T count in 1000s, Ki Mi Gi Ti in 1024s; a fraction may be used
/// (`1.5GiB`).
Parsed<std::uint64_t> parse_size(std::string_view text);
/// Processors: `2`, `0.5`, `500m`; more than 0, at most 4096.
Parsed<double> parse_cpu(std::string_view text);
/// `true` or `false` as YAML 1.2 has them.
Parsed<bool> parse_boolean(std::string_view text);
Parsed<std::int64_t> parse_integer(std::string_view text, std::int64_t least, std::int64_t most);

}  // namespace slipway::model
