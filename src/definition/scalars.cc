#include "definition/scalars.h"

#include <charconv>

#include <fmt/format.h>

#include "definition/limits.h"
#include "model/units.h"

namespace slipway::definition {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<double> number_of(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty() || (!is_digit(digits[0]) && digits[0] != '.')) return std::nullopt;
  if (digits.starts_with("0x") || digits.starts_with("0o")) {
    std::uint64_t whole = 0;
    const auto [end, error] =
        std::from_chars(digits.data() + 2, digits.data() + digits.size(), whole, digits[1] == 'x' ? 16 : 8);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return static_cast<double>(whole);
  }
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return text.starts_with('-') ? -number : number;
}

}  // namespace

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameLength || text.front() == ' ' || text.back() == ' ') return false;
  if (text.front() == '-' || text == "." || text == "..") return false;
  return std::ranges::all_of(text, [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == ' ' ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

bool is_foreign_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameLength || text.front() == ' ' || text.back() == ' ') return false;
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
}

bool is_host_name(std::string_view text) {
  constexpr std::size_t kMostOfALabel = 63;
  if (text.empty() || text.size() > kMostOfALabel || text.front() == '-' || text.front() == '.') return false;
  return std::ranges::all_of(text,
                             [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.'; });
}

bool is_identifier(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameLength || is_digit(text.front())) return false;
  return std::ranges::all_of(text, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

model::Value value_of(const Node& node) {
  if (node.kind != Node::Kind::scalar) return {};
  if (node.plain) {
    if (const auto flag = model::parse_boolean(node.text)) return {*flag};
    if (const auto number = number_of(node.text)) return {*number};
  }
  return {node.text};
}

std::optional<std::string> value_error(const Node& node) {
  const model::Value value = value_of(node);
  if (!std::holds_alternative<double>(value.data)) return std::nullopt;
  const auto text = model::to_text(value);
  if (text && *text == node.text) return std::nullopt;
  return fmt::format("the number {} would read as {}", node.text, text.value_or("?"));
}

}  // namespace slipway::definition
