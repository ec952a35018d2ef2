#include "definition/cron.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace slipway::definition {

namespace {

constexpr std::size_t kMaxCronLength = 200;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Field {
  std::string_view name;
  int least, most;
  std::span<const std::string_view> names;
  int first_name;  // the number of names[0]
};
constexpr std::array<Field, 5> kFields = {{{"minute", 0, 59, {}, 0},
                                           {"hour", 0, 23, {}, 0},
                                           {"day of the month", 1, 31, {}, 0},
                                           {"month", 1, 12, kMonths, 1},
                                           {"day of the week", 0, 7, kDays, 0}}};

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<int> value_in(std::string_view text, const Field& field) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const auto named = std::ranges::find(field.names, lower);
  if (named != field.names.end()) return static_cast<int>(named - field.names.begin()) + field.first_name;
  return number_in(text);
}

std::optional<std::string> part_error(std::string_view part, const Field& field) {
  const std::size_t slash = part.find('/');
  const std::string_view range = part.substr(0, slash);
  const std::size_t dash = range.find('-');
  if (slash != std::string_view::npos) {
    const auto step = number_in(part.substr(slash + 1));
    if (!step || *step < 1 || *step > field.most) return fmt::format("`{}` is not a step in the {}", part, field.name);
    if (range != "*" && dash == std::string_view::npos)
      return fmt::format("a step needs `*` or a range, not `{}`", part);
  }
  if (range == "*") return std::nullopt;
  const auto low = value_in(range.substr(0, dash), field);
  const auto high = dash == std::string_view::npos ? low : value_in(range.substr(dash + 1), field);
  if (!low || !high) return fmt::format("`{}` is not a {}", part, field.name);
  if (*low < field.least || *high > field.most) {
    return fmt::format("the {} goes from {} to {}, not `{}`", field.name, field.least, field.most, part);
  }
  if (*low > *high) return fmt::format("the range `{}` goes backwards", part);
  return std::nullopt;
}

// A machine without the database knows no names: any that could be one is good there.
bool is_in_database(std::string_view name) {
  const std::filesystem::path database = "/usr/share/zoneinfo";
  std::error_code unknown;
  return !std::filesystem::exists(database / "UTC", unknown) ||
         std::filesystem::is_regular_file(database / name, unknown);
}

}  // namespace

std::optional<std::string> cron_error(std::string_view text) {
  if (text.size() > kMaxCronLength) return "the cron line is too long";
  std::vector<std::string_view> fields;
  for (const std::string_view field : split(text, ' ')) {
    if (!field.empty()) fields.push_back(field);
  }
  if (fields.size() != kFields.size()) {
    return fmt::format("a cron line has five fields (minute, hour, day, month, day of the week), this has {}",
                       fields.size());
  }
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    for (const std::string_view part : split(fields[i], ',')) {
      if (auto error = part_error(part, kFields[i])) return error;
    }
  }
  return std::nullopt;
}

std::optional<std::string> timezone_error(std::string_view text) {
  const bool good_letters = std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == '+';
  });
  // Abbreviations (CET, PST) mean several zones or none; only UTC and GMT are plain.
  const bool plain = text == "UTC" || text == "GMT";
  const bool two_parts = text.find('/') != std::string_view::npos && !text.starts_with('/') && !text.ends_with('/');
  const bool good_name = good_letters && text.size() <= 64 && (plain || two_parts);
  if (good_name && (plain || is_in_database(text))) return std::nullopt;
  return fmt::format("`{}` is not the name of a time zone", text.substr(0, 64));
}

}  // namespace slipway::definition
