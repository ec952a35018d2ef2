#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace slipway::definition {

/// What is wrong with a cron line of five fields (minute, hour, day of the month, month, day of the week), each a list
/// of `*`, numbers, ranges and steps (`*/15`, `1-5`, `0-30/10`); months and days of the week by their three English
/// letters too; Sunday is 0 and 7. No value: nothing.
std::optional<std::string> cron_error(std::string_view text);

/// What is wrong with the name of a time zone, by its form alone: this machine may know fewer than the server.
std::optional<std::string> timezone_error(std::string_view text);

}  // namespace slipway::definition
