#include "model/units.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

namespace slipway::model {

namespace {

constexpr std::int64_t kMaxDurationSeconds = 3650LL * 24 * 3600;
constexpr double kMaxSizeBytes = 1e18;
constexpr double kMaxCpus = 4096;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::unexpected<UnitError> wrong(std::string message, std::string hint) {
  return std::unexpected(UnitError{std::move(message), std::move(hint)});
}

struct DurationUnit {
  std::string_view name;
  std::int64_t micros;
};
// Larger first: that is also the order in which they must be written.
constexpr std::array<DurationUnit, 5> kDurationUnits = {
    {{"d", 86'400'000'000}, {"h", 3'600'000'000}, {"m", 60'000'000}, {"s", 1'000'000}, {"ms", 1'000}}};

struct SizeUnit {
  std::string_view name;
  double bytes;
};
constexpr std::array<SizeUnit, 8> kSizeUnits = {{{"k", 1e3},
                                                 {"M", 1e6},
                                                 {"G", 1e9},
                                                 {"T", 1e12},
                                                 {"Ki", 1024.0},
                                                 {"Mi", 1024.0 * 1024},
                                                 {"Gi", 1024.0 * 1024 * 1024},
                                                 {"Ti", 1024.0 * 1024 * 1024 * 1024}}};

// A number without sign or exponent at the beginning of `text`; returns what is behind it.
std::optional<std::string_view> take_number(std::string_view text, double& number) {
  if (text.empty() || !is_digit(text[0])) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  return text.substr(static_cast<std::size_t>(end - text.data()));
}

}  // namespace

Parsed<Duration> parse_duration(std::string_view text) {
  if (!text.empty() && text.size() < 10 && std::ranges::all_of(text, is_digit)) {
    return wrong(fmt::format("`{}` has no unit", text), fmt::format("{0}s or {0}m?", text));
  }
  std::string_view rest = text;
  std::int64_t micros = 0;
  std::size_t next_unit = 0;
  while (!rest.empty()) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    const bool digits = is_digit(rest[0]) && error == std::errc();
    if (!digits || number > kMaxDurationSeconds * 1000) break;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const std::size_t letters = std::min(rest.find_first_of("0123456789"), rest.size());
    const auto unit = std::ranges::find(kDurationUnits, rest.substr(0, letters), &DurationUnit::name);
    if (unit == kDurationUnits.end() || static_cast<std::size_t>(unit - kDurationUnits.begin()) < next_unit) break;
    next_unit = static_cast<std::size_t>(unit - kDurationUnits.begin()) + 1;
    if (number > kMaxDurationSeconds * 1'000'000 / unit->micros) {
      return wrong(fmt::format("`{}` is too long a time", text), "at most 3650d");
    }
    micros += number * unit->micros;
    rest.remove_prefix(letters);
    if (rest.empty() && micros <= kMaxDurationSeconds * 1'000'000) return Duration(micros);
  }
  return wrong(fmt::format("`{}` is not a duration", text), "write it as 90s, 10m, 1h30m or 7d");
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  double number = 0;
  const auto behind = take_number(text, number);
  if (!behind) return wrong(fmt::format("`{}` is not a size", text), "write it as 512MiB, 2GiB or 10G");
  if (behind->empty()) return wrong(fmt::format("`{}` has no unit", text), fmt::format("{0}MiB or {0}GiB?", text));
  std::string_view unit = *behind;
  if (unit.size() > 1 && unit.ends_with('B')) unit.remove_suffix(1);
  const auto known = std::ranges::find(kSizeUnits, unit, &SizeUnit::name);
  if (known == kSizeUnits.end()) {
    return wrong(fmt::format("`{}` has an unknown unit", text),
                 "k M G T are 1000s, Ki Mi Gi Ti 1024s, with or without B");
  }
  const double bytes = number * known->bytes;
  if (bytes < 1 || bytes > kMaxSizeBytes)
    return wrong(fmt::format("`{}` is not a possible size", text), "from 1k to 1000000T");
  return static_cast<std::uint64_t>(bytes);
}

Parsed<double> parse_cpu(std::string_view text) {
  double number = 0;
  const auto behind = take_number(text, number);
  if (!behind || (!behind->empty() && *behind != "m")) {
    return wrong(fmt::format("`{}` is not a number of processors", text), "write it as 2, 0.5 or 500m");
  }
  const double cpus = behind->empty() ? number : number / 1000;
  if (cpus < 0.001 || cpus > kMaxCpus)
    return wrong(fmt::format("`{}` processors are not possible", text), "from 1m to 4096");
  return cpus;
}

Parsed<bool> parse_boolean(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const bool yes = text == "yes" || text == "on" || text == "Yes" || text == "1";
  const bool no = text == "no" || text == "off" || text == "No" || text == "0";
  return wrong(fmt::format("`{}` is not true or false", text), yes ? "write true" : no ? "write false" : "");
}

Parsed<std::int64_t> parse_integer(std::string_view text, std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error == std::errc::invalid_argument || end != text.data() + text.size()) {
    return wrong(fmt::format("`{}` is not a whole number", text), "");
  }
  if (error != std::errc() || number < least || number > most) {
    return wrong(fmt::format("`{}` is out of range", text), fmt::format("from {} to {}", least, most));
  }
  return number;
}

}  // namespace slipway::model
