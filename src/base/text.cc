#include "base/text.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

#include <fmt/format.h>

namespace slipway {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = text.find(separator, begin);
    if (end == std::string_view::npos) break;
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    std::vector<std::size_t> above, two_above;  // neighbours that are swapped are one mistake: `biuld`
    for (std::size_t i = 1; i <= word.size(); ++i) {
      two_above = std::exchange(above, row);
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t changed = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
        const bool swapped = i > 1 && j > 1 && word[i - 1] == candidate[j - 2] && word[i - 2] == candidate[j - 1];
        if (swapped) row[j] = std::min(row[j], two_above[j - 2] + 1);
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = &candidate;
    }
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

namespace {

constexpr std::size_t kMaxPattern = 1024;
constexpr std::size_t kMaxAlternatives = 64;

// One character class at pattern[at] == '['. Returns the index behind it, or npos where it is not closed.
std::size_t match_class(std::string_view pattern, std::size_t at, char c, bool& matched) {
  std::size_t i = at + 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool found = false;
  for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
    const char low = pattern[i];
    char high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      high = pattern[i + 2];
      i += 2;
    }
    found = found || (low <= c && c <= high);
    ++i;
  }
  if (i >= pattern.size()) return std::string_view::npos;
  matched = found != negated && c != '/';
  return i + 1;
}

// Iterative matcher with one backtrack point for `*` and one for `**`: O(pattern x path).
bool match_plain(std::string_view pattern, std::string_view path) {
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t p = 0, s = 0;
  std::size_t star_p = kNone, star_s = 0, deep_p = kNone, deep_s = 0;
  while (s < path.size() || p < pattern.size()) {
    if (p < pattern.size()) {
      const char c = pattern[p];
      if (c == '*' && p + 1 < pattern.size() && pattern[p + 1] == '*') {
        // `**/` also matches nothing, so `**/x` matches `x`.
        deep_p = p + 2;
        if (deep_p < pattern.size() && pattern[deep_p] == '/' && (p == 0 || pattern[p - 1] == '/')) ++deep_p;
        deep_s = s;
        p = deep_p;
        star_p = kNone;
        continue;
      }
      if (c == '*') {
        star_p = ++p;
        star_s = s;
        continue;
      }
      if (s < path.size()) {
        if (c == '[') {
          bool matched = false;
          const std::size_t behind = match_class(pattern, p, path[s], matched);
          if (behind != kNone && matched) {
            p = behind;
            ++s;
            continue;
          }
        } else if (c == '?' ? path[s] != '/' : c == path[s]) {
          ++p;
          ++s;
          continue;
        }
      }
    }
    if (star_p != kNone && star_s < path.size() && path[star_s] != '/') {
      p = star_p;
      s = ++star_s;
      continue;
    }
    if (deep_p != kNone && deep_s < path.size()) {
      // After `**/` only beginnings of path parts are tried.
      const bool whole_parts = deep_p > 0 && pattern[deep_p - 1] == '/';
      ++deep_s;
      while (whole_parts && deep_s < path.size() && path[deep_s - 1] != '/') ++deep_s;
      p = deep_p;
      s = deep_s;
      star_p = kNone;
      if (whole_parts && s >= path.size() && p < pattern.size()) return false;
      continue;
    }
    return false;
  }
  return true;
}

// Expands the first `{a,b}`; recursion is bounded by `budget` alternatives in all.
bool match_alternatives(std::string_view pattern, std::string_view path, std::size_t& budget) {
  const std::size_t open = pattern.find('{');
  const std::size_t close = open == std::string_view::npos ? open : pattern.find('}', open);
  if (close == std::string_view::npos) return match_plain(pattern, path);
  for (const std::string_view part : split(pattern.substr(open + 1, close - open - 1), ',')) {
    if (budget == 0) return false;
    --budget;
    const std::string one = fmt::format("{}{}{}", pattern.substr(0, open), part, pattern.substr(close + 1));
    if (match_alternatives(one, path, budget)) return true;
  }
  return false;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view path) {
  if (pattern.size() > kMaxPattern) return false;
  std::size_t budget = kMaxAlternatives;
  return match_alternatives(pattern, path, budget);
}

bool matches_filters(const std::vector<std::string>& patterns, std::string_view value) {
  if (patterns.empty()) return true;
  // A list of negations alone excludes from everything.
  bool included = patterns.front().starts_with('!');
  for (const std::string& pattern : patterns) {
    const bool negated = pattern.starts_with('!');
    if (glob_match(std::string_view(pattern).substr(negated ? 1 : 0), value)) included = !negated;
  }
  return included;
}

namespace {

// The length of a valid UTF-8 character at text[at], or 0.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  std::size_t length = 0;
  std::uint32_t point = 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
    point = lead & 0x1FU;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    point = lead & 0x0FU;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    point = lead & 0x07U;
  } else
    return 0;
  if (at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80U) return 0;
    point = point << 6U | (byte(at + i) & 0x3FU);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && (point < 0x10000 || point > 0x10FFFF));
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  // C1 controls drive terminals as ESC does; bidirectional overrides reorder what a person reads.
  const bool control = point < 0xA0 || (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
  return overlong || surrogate || control ? 0 : length;
}

// The length of an SGR sequence (ESC [ digits ; : m) at text[at], or 0.
std::size_t sgr_length(std::string_view text, std::size_t at) {
  constexpr std::size_t kLongest = 64;
  if (at + 1 >= text.size() || text[at] != '\x1b' || text[at + 1] != '[') return 0;
  for (std::size_t i = at + 2; i < text.size() && i < at + kLongest; ++i) {
    const char c = text[i];
    if (c == 'm') return i + 1 - at;
    if ((c < '0' || c > '9') && c != ';' && c != ':') return 0;
  }
  return 0;
}

}  // namespace

std::string printable(std::string_view text, Colour colour) {
  std::string shown;
  shown.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (const std::size_t sgr = sgr_length(text, at); sgr > 0) {
      if (colour == Colour::keep) shown.append(text.substr(at, sgr));
      at += sgr;
    } else if (byte == '\t' || (byte >= 0x20 && byte < 0x7F)) {
      shown.push_back(text[at++]);
    } else if (const std::size_t length = byte >= 0x80 ? utf8_length(text, at) : 0; length > 0) {
      shown.append(text.substr(at, length));
      at += length;
    } else {
      shown += fmt::format("\\x{:02x}", byte);
      ++at;
    }
  }
  return shown;
}

}  // namespace slipway
