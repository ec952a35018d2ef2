#include "cli/configuration.h"
#include "model/units.h"

namespace slipway::cli {

namespace {

template <class T>
Result<T> or_error(model::Parsed<T> parsed) {
  if (parsed) return *std::move(parsed);
  const model::UnitError& error = parsed.error();
  return fail(ErrorKind::invalid, error.message + (error.hint.empty() ? "" : ": " + error.hint));
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) { return or_error(model::parse_size(text)); }
Result<Duration> parse_duration(std::string_view text) { return or_error(model::parse_duration(text)); }

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
