#include <charconv>

#include "base/text.h"
#include "cli/configuration.h"

namespace slipway::cli {

namespace {

struct Unit {
  std::string_view name;
  double factor;
};

// The number in front and the unit behind it; no blanks.
template <std::size_t N>
Result<double> parse_quantity(std::string_view text, const Unit (&units)[N], std::string_view example) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc() || number < 0)
    return fail(ErrorKind::invalid, fmt::format("`{}` is not like `{}`", text, example));
  for (const Unit& known : units) {
    if (known.name == unit) return number * known.factor;
  }
  if (unit.empty()) return fail(ErrorKind::invalid, fmt::format("`{}` has no unit; write it like `{}`", text, example));
  return fail(ErrorKind::invalid,
              fmt::format("`{}` has an unknown unit `{}`; write it like `{}`", text, unit, example));
}

constexpr Unit kSizes[] = {
    {"B", 1},
    {"k", 1e3},
    {"K", 1e3},
    {"M", 1e6},
    {"G", 1e9},
    {"T", 1e12},
    {"kB", 1e3},
    {"KB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
    {"TB", 1e12},
    {"Ki", 1024.0},
    {"Mi", 1048576.0},
    {"Gi", 1073741824.0},
    {"Ti", 1099511627776.0},
    {"KiB", 1024.0},
    {"MiB", 1048576.0},
    {"GiB", 1073741824.0},
    {"TiB", 1099511627776.0},
};

constexpr Unit kTimes[] = {{"us", 1},     {"ms", 1e3},    {"s", 1e6},     {"m", 60e6},
                           {"h", 3600e6}, {"d", 86400e6}, {"w", 604800e6}};

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  SW_TRY(const double bytes, parse_quantity(text, kSizes, "64MiB"));
  if (bytes > 9e18) return fail(ErrorKind::invalid, fmt::format("`{}` is too large", text));
  return static_cast<std::uint64_t>(bytes);
}

Result<Duration> parse_duration(std::string_view text) {
  SW_TRY(const double micros, parse_quantity(text, kTimes, "10m"));
  if (micros > 9e17) return fail(ErrorKind::invalid, fmt::format("`{}` is too long", text));
  return Duration(static_cast<std::int64_t>(micros));
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (amount >= 1024 && unit + 1 < std::size(kUnits)) {
    amount /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

}  // namespace slipway::cli
