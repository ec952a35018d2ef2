#include "cli/terminal_text.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/byte_prefix.h"

namespace slipway::cli {

namespace {

bool is_clean(char c) { return (c >= 0x20 && c < 0x7F) || c == '\t'; }

std::size_t clean_prefix(std::string_view text) {
  return prefix_without(text, [](unsigned char byte) {
    return static_cast<unsigned>(byte - 0x20U > 0x5EU) & static_cast<unsigned>(byte != '\t');
  });
}

// The run of bytes at the front that `printable` must see together: a whole SGR sequence, or all that is not ASCII.
std::size_t dirty_prefix(std::string_view text) {
  if (text.front() == '\x1b') {
    std::size_t end = 1;
    while (end < text.size() && end < 64 && text[end] != 'm' && is_clean(text[end])) ++end;
    return end < text.size() && text[end] == 'm' ? end + 1 : 1;
  }
  std::size_t end = 0;
  while (end < text.size() && !is_clean(text[end]) && text[end] != '\x1b') ++end;
  return end;
}

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
};

// Of text that `printable` made: valid UTF-8.
CodePoint decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t bytes = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (bytes > text.size()) return {lead, 1};
  char32_t value = bytes == 1 ? lead : lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) value = value << 6U | (static_cast<unsigned char>(text[i]) & 0x3FU);
  return {value, bytes};
}

std::size_t width_of(char32_t point) {
  const auto within = [&](char32_t low, char32_t high) { return point >= low && point <= high; };
  if (within(0x300, 0x36F) || within(0x200B, 0x200F) || within(0xFE00, 0xFE0F) || within(0x20D0, 0x20FF)) return 0;
  const bool wide = within(0x1100, 0x115F) || within(0x2E80, 0xA4CF) || within(0xAC00, 0xD7A3) ||
                    within(0xF900, 0xFAFF) || within(0xFE30, 0xFE6F) || within(0xFF00, 0xFF60) ||
                    within(0xFFE0, 0xFFE6) || within(0x1F300, 0x1FAFF) || within(0x20000, 0x3FFFD);
  return wide ? 2 : 1;
}

// The length of an SGR sequence at the front of printable text, or 0: no other escape is left in it.
std::size_t escape_length(std::string_view text) {
  if (text.front() != '\x1b') return 0;
  const std::size_t end = text.find('m');
  return end == std::string_view::npos ? text.size() : end + 1;
}

// Of `\x1b[...X` at the front of a program's own text; 0: there is none.
std::size_t sequence_length(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  std::size_t end = 2;
  while (end < text.size() && text[end] >= 0x20 && text[end] < 0x40) ++end;
  return end < text.size() ? end + 1 : 0;
}

std::size_t character_length(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) ++length;
  return length;
}

}  // namespace

void append_printable(std::string& out, std::string_view text, Colour colour) {
  while (!text.empty()) {
    const std::size_t clean = clean_prefix(text);
    out.append(text.substr(0, clean));
    text.remove_prefix(clean);
    if (text.empty()) return;
    const std::size_t dirty = dirty_prefix(text);
    out += printable(text.substr(0, dirty), colour);
    text.remove_prefix(dirty);
  }
}

std::string_view visible_line(std::string_view line, std::string& drawn) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find('\r') == std::string_view::npos) return line;
  std::vector<std::string_view> cells;  // one a character, with the escape sequences in front of it
  for (std::string_view part : split(line, '\r')) {
    std::size_t at = 0;
    while (!part.empty()) {
      std::size_t length = 0;
      while (const std::size_t escape = sequence_length(part.substr(length))) {
        if (part[length + escape - 1] == 'K') cells.resize(std::min(cells.size(), at));  // erases to the end
        length += escape;
      }
      if (length < part.size()) length += character_length(part.substr(length));
      if (at == cells.size()) cells.emplace_back();
      cells[at++] = part.substr(0, length);
      part.remove_prefix(length);
    }
  }
  drawn.clear();
  for (const std::string_view cell : cells) drawn += cell;
  return drawn;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    if (const std::size_t escape = escape_length(text); escape > 0) {
      text.remove_prefix(escape);
      continue;
    }
    const CodePoint point = decode(text);
    width += point.value == '\t' ? 1 : width_of(point.value);
    text.remove_prefix(point.bytes);
  }
  return width;
}

std::string fit(std::string_view text, std::size_t columns) {
  std::string out;
  std::size_t width = 0;
  std::size_t safe = 0;  // where `…` can stand: one column is left behind it
  bool coloured = false;
  while (!text.empty()) {
    if (const std::size_t escape = escape_length(text); escape > 0) {
      coloured = true;
      out.append(text.substr(0, escape));
      if (width + 1 <= columns) safe = out.size();
      text.remove_prefix(escape);
      continue;
    }
    const CodePoint point = decode(text);
    // A tab's width depends on where it stands: one blank keeps frames steady.
    const std::size_t more = point.value == '\t' ? 1 : width_of(point.value);
    if (width + more > columns) {
      out.resize(safe);
      if (columns > 0) out += "…";
      break;
    }
    width += more;
    out.append(point.value == '\t' ? std::string_view(" ") : text.substr(0, point.bytes));
    if (width + 1 <= columns) safe = out.size();
    text.remove_prefix(point.bytes);
  }
  if (coloured) out += "\x1b[0m";
  return out;
}

Mark mark_of(model::Outcome outcome) {
  switch (outcome) {
    case model::Outcome::succeeded: return Mark::succeeded;
    case model::Outcome::failed:
    case model::Outcome::out_of_memory:
    case model::Outcome::rejected: return Mark::failed;
    case model::Outcome::timed_out: return Mark::timed_out;
    case model::Outcome::cancelled: return Mark::cancelled;
    case model::Outcome::infra_failed: return Mark::infra_failed;
    case model::Outcome::skipped: return Mark::skipped;
  }
  return Mark::failed;
}

std::string_view colour_of(Mark mark, bool colour) {
  if (!colour) return "";
  switch (mark) {
    case Mark::succeeded: return "\x1b[32m";
    case Mark::failed:
    case Mark::timed_out: return "\x1b[31m";
    case Mark::infra_failed:
    case Mark::allowed_failure: return "\x1b[33m";
    case Mark::running: return "\x1b[34m";
    case Mark::pending:
    case Mark::blocked:
    case Mark::cancelled:
    case Mark::skipped: return "\x1b[90m";
  }
  return "";
}

std::string_view reset(bool colour) { return colour ? "\x1b[0m" : ""; }
std::string_view bold(bool colour) { return colour ? "\x1b[1m" : ""; }
std::string_view dim(bool colour) { return colour ? "\x1b[2m" : ""; }

std::string symbol(Mark mark, bool colour) {
  const auto shape = [&]() -> std::string_view {
    switch (mark) {
      case Mark::succeeded: return "✓";
      case Mark::failed: return "✗";
      case Mark::infra_failed: return "!";
      case Mark::allowed_failure: return "⚠";
      case Mark::timed_out: return "⏱";
      case Mark::running: return "●";
      case Mark::pending: return "○";
      case Mark::blocked: return "⏸";
      case Mark::cancelled: return "⊘";
      case Mark::skipped: return "↷";
    }
    return "?";
  };
  return fmt::format("{}{}{}", colour_of(mark, colour), shape(), reset(colour));
}

std::string outcome_text(model::Outcome outcome) {
  std::string text(model::to_string(outcome));
  std::ranges::replace(text, '_', ' ');
  return outcome == model::Outcome::infra_failed ? "infrastructure failed" : text;
}

std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string exit_text(model::Outcome outcome, int exit_code) {
  if (exit_code == 0 || outcome != model::Outcome::failed) return "";
  if (exit_code > 128 && exit_code < 128 + 65) return fmt::format("killed by signal {}", exit_code - 128);
  return fmt::format("exit {}", exit_code);
}

}  // namespace slipway::cli
