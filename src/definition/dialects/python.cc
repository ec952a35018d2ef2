#include "definition/dialects/python.h"

#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"

namespace slipway::definition {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <class F>
bool all(std::string_view text, const F& fits) {
  return std::ranges::all_of(text, fits);
}
bool are_digits(std::string_view text) {  // with `_` between them
  return all(text, [](char c) { return is_digit(c) || c == '_'; });
}

std::string without_underscores(std::string_view text) {
  std::string kept(text);
  std::erase(kept, '_');
  return kept;
}

/// `1:30:00` is a number to the base of 60 in YAML 1.1; the parts behind the first have one or two digits below 60.
std::optional<std::vector<std::string_view>> sexagesimal(std::string_view digits) {
  std::vector<std::string_view> parts = split(digits, ':');
  if (parts.size() < 2 || parts[0].empty() || !is_digit(parts[0][0]) || !are_digits(parts[0])) return std::nullopt;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view part = parts[i];
    const bool fits = all(part, is_digit) && (part.size() == 1 || (part.size() == 2 && part[0] < '6'));
    if (!fits) return std::nullopt;
  }
  return parts;
}

// As Python's repr: the shortest digits that read back the same; an exponent from 1e16 on and below 1e-4.
std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  const double size = std::fabs(number);
  const bool exponent = size != 0 && (size >= 1e16 || size < 1e-4);
  std::array<char, 400> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number,
                                 exponent ? std::chars_format::scientific : std::chars_format::fixed)
                       .ptr;
  std::string text(buffer.data(), end);
  if (!exponent && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::optional<std::string> whole_text(std::string_view digits, bool negative) {
  const auto with_sign = [&](std::string text) { return negative && text != "0" ? "-" + text : text; };
  const auto to_base = [&](std::string_view text, int base) -> std::optional<std::string> {
    const std::string plain = without_underscores(text);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value, base);
    if (error != std::errc() || end != plain.data() + plain.size()) return std::nullopt;
    return with_sign(fmt::format("{}", value));
  };
  if (digits.starts_with("0b") && digits.size() > 2) return to_base(digits.substr(2), 2);
  if (digits.starts_with("0x") && digits.size() > 2) return to_base(digits.substr(2), 16);
  if (digits.empty() || !is_digit(digits[0])) return std::nullopt;
  if (digits[0] == '0' && digits.size() > 1) return to_base(digits.substr(1), 8);
  if (are_digits(digits)) return with_sign(without_underscores(digits));
  if (digits[0] == '0') return std::nullopt;
  const auto parts = sexagesimal(digits);
  if (!parts || parts->size() > 8) return std::nullopt;
  std::uint64_t value = 0;
  for (const std::string_view part : *parts) {
    std::uint64_t digit = 0;
    const std::string plain = without_underscores(part);
    if (plain.size() > 6) return std::nullopt;
    std::from_chars(plain.data(), plain.data() + plain.size(), digit);
    value = value * 60 + digit;
  }
  return with_sign(fmt::format("{}", value));
}

std::optional<std::string> fraction_text(std::string_view digits, bool signed_one, bool negative) {
  if (digits == ".inf" || digits == ".Inf" || digits == ".INF") return negative ? "-inf" : "inf";
  if (!signed_one && (digits == ".nan" || digits == ".NaN" || digits == ".NAN")) return "nan";
  const std::size_t point = digits.find('.');
  if (point == std::string_view::npos) return std::nullopt;
  const std::string_view whole = digits.substr(0, point);
  std::string_view behind = digits.substr(point + 1);
  double base60 = 0;
  if (const auto parts = sexagesimal(whole); parts && parts->size() <= 8 && are_digits(behind)) {
    for (std::size_t i = 0; i < parts->size(); ++i) {
      const std::string plain = without_underscores((*parts)[i]) +
                                (i + 1 == parts->size() ? "." + without_underscores(behind) + "0" : std::string());
      double digit = 0;
      std::from_chars(plain.data(), plain.data() + plain.size(), digit);
      base60 = base60 * 60 + digit;
    }
    return float_text(negative ? -base60 : base60);
  }
  const bool whole_fits = !whole.empty() && is_digit(whole[0]) && are_digits(whole);
  const bool no_whole = whole.empty() && !signed_one && !behind.empty() && is_digit(behind[0]);
  if (!whole_fits && !no_whole) return std::nullopt;
  std::string_view exponent;
  if (const std::size_t e = behind.find_first_of("eE"); e != std::string_view::npos) {
    exponent = behind.substr(e);
    behind = behind.substr(0, e);
    const bool fits =
        exponent.size() > 2 && (exponent[1] == '+' || exponent[1] == '-') && all(exponent.substr(2), is_digit);
    if (!fits) return std::nullopt;
  }
  if (!are_digits(behind)) return std::nullopt;
  std::string plain = without_underscores(whole) + "." + without_underscores(behind) + "0";
  if (!exponent.empty()) plain += "e" + std::string(exponent.substr(exponent[1] == '+' ? 2 : 1));
  if (plain.starts_with('.')) plain.insert(0, "0");
  double number = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), number);
  if (error == std::errc::result_out_of_range) {
    number = exponent[1] == '+' ? HUGE_VAL : 0.0;
  } else if (error != std::errc() || end != plain.data() + plain.size()) {
    return std::nullopt;
  }
  return float_text(negative ? -number : number);
}

// `2001-12-14t21:59:43.10-05:00`, `2001-12-14 21:59:43`
bool is_point_in_time(std::string_view text) {
  const auto digits = [&](std::size_t from, std::size_t count) {
    return text.size() >= from + count && all(text.substr(from, count), is_digit);
  };
  if (!digits(0, 4) || text.size() < 15 || text[4] != '-') return false;
  const std::size_t behind = text.find_first_of("Tt \t");
  return behind != std::string_view::npos && behind >= 8 && behind <= 10 &&
         text.find(':', behind) != std::string_view::npos &&
         text.find_first_not_of("0123456789-:.tTzZ+ \t") == std::string_view::npos;
}

}  // namespace

std::optional<bool> python_boolean(std::string_view plain) {
  constexpr std::array<std::string_view, 9> kTrue = {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
  constexpr std::array<std::string_view, 9> kFalse = {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
  if (std::ranges::find(kTrue, plain) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, plain) != kFalse.end()) return false;
  return std::nullopt;
}

std::optional<std::string> python_text(const Node& node) {
  if (node.kind == Node::Kind::null) return "None";
  if (node.kind != Node::Kind::scalar) return std::nullopt;
  if (!node.plain) return node.text;
  const std::string_view text = node.text;
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return "None";
  if (const auto flag = python_boolean(text)) return *flag ? "True" : "False";
  const bool signed_one = text[0] == '-' || text[0] == '+';
  const std::string_view digits = signed_one ? text.substr(1) : text;
  if (auto whole = whole_text(digits, text[0] == '-')) return whole;
  if (auto fraction = fraction_text(digits, signed_one, text[0] == '-')) return fraction;
  if (is_point_in_time(text)) return std::nullopt;
  return node.text;
}

}  // namespace slipway::definition
