#include "definition/yaml_text.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"

namespace slipway::definition {

bool is_plain_yaml(const std::string& text) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/";
  constexpr std::string_view kRest = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/0123456789.+-@=";
  if (text.empty() || kFirst.find(text.front()) == std::string_view::npos) return false;
  if (text.find_first_not_of(kRest) != std::string::npos) return false;
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  return std::ranges::find(kWords, lower) == std::end(kWords);
}

bool fits_yaml_block(const std::string& text) {
  if (text.find('\n') == std::string::npos || text.front() == ' ' || text.front() == '\n') return false;
  return std::ranges::all_of(text,
                             [](char c) { return c == '\n' || c == '\t' || static_cast<unsigned char>(c) >= 0x20; });
}

std::string yaml_block(const std::string& text, std::size_t indent) {
  const std::size_t last = text.find_last_not_of('\n');
  const std::size_t newlines = text.size() - 1 - last;
  std::string block = newlines == 0 ? "|-" : newlines == 1 ? "|" : "|+";
  for (const std::string_view line : split(std::string_view(text).substr(0, last + 1), '\n')) {
    block += line.empty() ? "\n" : fmt::format("\n{:{}}{}", "", indent, line);
  }
  for (std::size_t i = 1; i < newlines; ++i) block += '\n';
  return block;
}

}  // namespace slipway::definition
