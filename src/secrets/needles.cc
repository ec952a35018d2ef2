#include "secrets/needles.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace slipway::secrets {
namespace {

constexpr std::string_view kLowerHex = "0123456789abcdef";
constexpr std::string_view kUpperHex = "0123456789ABCDEF";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

using Needles = std::vector<std::string>;

unsigned char byte_of(char c) { return static_cast<unsigned char>(c); }
bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string hex(std::string_view value, std::string_view digits) {
  std::string text;
  text.reserve(value.size() * 2);
  for (const char c : value) text.append({digits[byte_of(c) >> 4U], digits[byte_of(c) & 15U]});
  return text;
}

/// The base64 characters of `bytes` that stand wholly in it when `before` other bytes precede it in its group of 3.
std::string base64_core(std::string_view bytes, std::size_t before, std::string_view alphabet) {
  std::string text;
  const std::size_t first_bit = before * 8;
  const std::size_t end_bit = first_bit + bytes.size() * 8;
  for (std::size_t at = (first_bit + 5) / 6 * 6; at + 6 <= end_bit; at += 6) {
    const std::size_t bit = at - first_bit;
    const std::size_t index = bit / 8;
    std::uint32_t two = static_cast<std::uint32_t>(byte_of(bytes[index])) << 8U;
    if (index + 1 < bytes.size()) two |= byte_of(bytes[index + 1]);
    text.push_back(alphabet[two >> (10 - bit % 8) & 63U]);
  }
  return text;
}

void add_base64(std::string_view value, Needles& to) {
  // Encoded by itself its last character is known too, and its padding.
  const std::size_t padding = (3 - value.size() % 3) % 3;
  const std::string padded = std::string(value) + std::string(padding, '\0');
  for (const std::string_view alphabet : {kBase64, kBase64Url}) {
    for (std::size_t before = 0; before < 3; ++before) to.push_back(base64_core(value, before, alphabet));
    std::string alone = base64_core(padded, 0, alphabet);
    alone.resize(alone.size() - padding);
    to.push_back(alone);
    alone.append(padding, '=');
    to.push_back(alone);
    // `base64` and PEM wrap long texts.
    for (const std::size_t width : {std::size_t{76}, std::size_t{64}}) {
      for (std::size_t at = 0; alone.size() > width && at < alone.size(); at += width) {
        to.push_back(alone.substr(at, width));
      }
    }
  }
}

std::string percent(std::string_view value, std::string_view safe, char space, std::string_view digits) {
  std::string text;
  for (const char c : value) {
    if (c == ' ' && space != 0) {
      text.push_back(space);
    } else if (is_alnum(c) || safe.find(c) != std::string_view::npos) {
      text.push_back(c);
    } else {
      text.append({'%', digits[byte_of(c) >> 4U], digits[byte_of(c) & 15U]});
    }
  }
  return text;
}

void add_percent(std::string_view value, Needles& to) {
  struct Style {
    std::string_view safe;
    char space;
  };
  constexpr std::array kStyles = {
      Style{"-._~", 0},                  // RFC 3986, curl
      Style{"-._~", '+'},                // Python's quote_plus
      Style{"-._~/", 0},                 // Python's quote
      Style{"-._!~*'()", 0},             // JavaScript's encodeURIComponent
      Style{"-._*", '+'},                // HTML forms, Java's URLEncoder
      Style{"-._!~*'();/?:@&=+$,#", 0},  // JavaScript's encodeURI
  };
  for (const Style& style : kStyles) {
    for (const std::string_view digits : {kUpperHex, kLowerHex}) {
      to.push_back(percent(value, style.safe, style.space, digits));
    }
  }
}

/// As commands in a log write it (`::error::TEXT`), which views unescape again: only what would end a text or property.
void add_command_escapes(std::string_view value, Needles& to) {
  for (const std::string_view ends : {"%\r\n", "%\r\n:,"}) {
    for (const std::string_view digits : {kUpperHex, kLowerHex}) {
      std::string text;
      for (const char c : value) {
        if (ends.find(c) == std::string_view::npos)
          text.push_back(c);
        else
          text.append({'%', digits[byte_of(c) >> 4U], digits[byte_of(c) & 15U]});
      }
      to.push_back(std::move(text));
    }
  }
}

/// One character of UTF-8 from the front of `text`; a byte that is none stands for itself.
std::uint32_t take_character(std::string_view& text, std::size_t& length) {
  const unsigned char first = byte_of(text[0]);
  length = first < 0x80 ? 1 : first >> 5U == 6 ? 2 : first >> 4U == 14 ? 3 : first >> 3U == 30 ? 4 : 1;
  if (length > text.size()) length = 1;
  std::uint32_t code = length == 1 ? first : first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if (byte_of(text[i]) >> 6U != 2) {
      length = 1;
      return first;
    }
    code = code << 6U | (byte_of(text[i]) & 63U);
  }
  return code;
}

void append_unicode(std::string& text, std::uint32_t code, std::string_view digits) {
  if (code > 0xFFFF) {
    append_unicode(text, 0xD800 + ((code - 0x10000) >> 10U), digits);
    code = 0xDC00 + ((code - 0x10000) & 0x3FFU);
  }
  text.append("\\u");
  for (const unsigned shift : {12U, 8U, 4U, 0U}) text.push_back(digits[code >> shift & 15U]);
}

struct JsonStyle {
  std::string_view also;  // escaped as \uXXXX though JSON does not ask for it
  bool slash;             // as \/ (PHP)
  bool ascii;             // nothing above 0x7E stays (Python)
  std::string_view digits;
};

std::string json(std::string_view value, const JsonStyle& style) {
  std::string text;
  while (!value.empty()) {
    std::size_t length = 1;
    const std::uint32_t code = take_character(value, length);
    const char c = value[0];
    constexpr std::string_view kNamed = "\b\f\n\r\t";
    constexpr std::string_view kNames = "bfnrt";
    if (code >= 0x80) {
      if (style.ascii) {
        append_unicode(text, code, style.digits);
      } else {
        text.append(value.substr(0, length));
      }
    } else if (style.also.find(c) != std::string_view::npos) {
      append_unicode(text, code, style.digits);
    } else if (c == '"' || c == '\\' || (c == '/' && style.slash)) {
      text.append({'\\', c});
    } else if (const std::size_t named = kNamed.find(c); named != std::string_view::npos) {
      text.append({'\\', kNames[named]});
    } else if (code < 0x20 || code == 0x7F) {
      append_unicode(text, code, style.digits);
    } else {
      text.push_back(c);
    }
    value.remove_prefix(length);
  }
  return text;
}

void add_json(std::string_view value, Needles& to) {
  constexpr std::array kStyles = {
      JsonStyle{"", false, false, kLowerHex},     // JavaScript
      JsonStyle{"", false, true, kLowerHex},      // Python
      JsonStyle{"", true, false, kLowerHex},      // Boost, nlohmann with \/
      JsonStyle{"", true, true, kLowerHex},       // PHP
      JsonStyle{"<>&", false, false, kLowerHex},  // Go
      JsonStyle{"", false, true, kUpperHex},         JsonStyle{"<>&", false, false, kUpperHex},
      JsonStyle{"<>&'\"+`", false, true, kUpperHex},  // .NET
  };
  for (const JsonStyle& style : kStyles) to.push_back(json(value, style));
  to.push_back(json(json(value, kStyles[0]), kStyles[0]));  // JSON within JSON: a logged request body
}

/// As `set -x` and `printf %q` show it.
void add_shell(std::string_view value, Needles& to) {
  std::string quoted;
  std::string escaped;
  for (const char c : value) {
    if (c == '\'') quoted.append("'\\'");
    quoted.push_back(c);
    constexpr std::string_view kPlain = "%+,-./:=@_";
    const bool plain = is_alnum(c) || byte_of(c) >= 0x80 || kPlain.find(c) != std::string_view::npos;
    if (!plain) escaped.push_back('\\');
    escaped.push_back(c);
  }
  to.push_back(std::move(quoted));
  to.push_back(std::move(escaped));
}

/// Forms that go character by character, for a whole value and for its lines.
void add_plain(std::string_view value, Needles& to) {
  to.emplace_back(value);
  add_percent(value, to);
  add_command_escapes(value, to);
  add_json(value, to);
  add_shell(value, to);
}

}  // namespace

std::vector<std::string> derive_needles(std::string_view value) {
  Needles needles;
  add_plain(value, needles);
  add_base64(value, needles);
  needles.push_back(hex(value, kLowerHex));
  needles.push_back(hex(value, kUpperHex));
  if (value.find('\n') != std::string_view::npos) {
    for (std::size_t at = 0; at < value.size();) {
      const std::size_t end = std::min(value.find('\n', at), value.size());
      const std::string_view line = trimmed(value.substr(at, end - at));
      if (line.size() >= kShortestLine && weakness_of(line) == Weakness::none) add_plain(line, needles);
      at = end + 1;
    }
  }
  std::sort(needles.begin(), needles.end());
  needles.erase(std::unique(needles.begin(), needles.end()), needles.end());
  std::erase_if(needles, [](const std::string& needle) { return needle.size() < kShortestSecret; });
  return needles;
}

}  // namespace slipway::secrets
