#include "definition/yaml_text.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "base/json_text.h"
#include "base/text.h"

namespace slipway::definition {

namespace {

/// One word, and no word that YAML takes for something else.
bool is_plain_word(const std::string& text) {
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

/// Words that need no quotes, wherever they stand: `go test ./...`, `debian:12`.
bool is_plain_sentence(const std::string& text) {
  if (text.empty() || text.back() == ' ' || text.back() == ':') return false;
  const bool begins = (text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z') || text[0] == '$' ||
                      text.starts_with("./");
  if (!begins || text.find(": ") != std::string::npos) return false;
  if (text.find_first_of(",[]{}#`") != std::string::npos) return false;
  if (!std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; })) return false;
  return text.find_first_of(" ./:$-") != std::string::npos;  // one word may be `true`: is_plain_word knows
}

/// Several lines that `|` can show: control characters, or a first line that begins with a blank, need quotes.
bool fits_block(const std::string& text) {
  if (text.find('\n') == std::string::npos || text.front() == ' ' || text.front() == '\n') return false;
  return std::ranges::all_of(text,
                             [](char c) { return c == '\n' || c == '\t' || static_cast<unsigned char>(c) >= 0x20; });
}

std::string block_of(const std::string& text, std::size_t indent) {
  const std::size_t last = text.find_last_not_of('\n');
  const std::size_t newlines = text.size() - 1 - last;
  std::string block = newlines == 0 ? "|-" : newlines == 1 ? "|" : "|+";
  for (const std::string_view line : split(std::string_view(text).substr(0, last + 1), '\n')) {
    block += line.empty() ? "\n" : fmt::format("\n{:{}}{}", "", indent, line);
  }
  for (std::size_t i = 1; i < newlines; ++i) block += '\n';
  return block;
}

bool is_printable(const std::string& text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
}

}  // namespace

std::string yaml_scalar(const std::string& text, std::size_t indent) {
  if (is_plain_word(text) || is_plain_sentence(text)) return text;
  if (indent > 0 && fits_block(text)) return block_of(text, indent);
  const bool single = text.find('"') != std::string::npos && text.find_first_of("'\\") == std::string::npos;
  if (single && is_printable(text)) return "'" + text + "'";
  std::string quoted;
  append_json_text(quoted, text);
  return quoted;
}

}  // namespace slipway::definition
