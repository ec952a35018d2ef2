#pragma once

#include <cstring>
#include <string>
#include <string_view>

namespace slipway::init {

/// Finds lines that begin with `::` in a stream, and holds them back until they end: what such a line asks for, to mask
/// a value say, has to hold before it is recorded itself. All else goes by at once, and the bytes are never changed.
class CommandLines {
 public:
  static constexpr std::size_t kLongest = 256U << 10U;  ///< a longer one is none

  /// Calls `text(bytes)` for all bytes, in order, and `line(line)` (without newline) before a command's bytes.
  template <class Text, class Line>
  void feed(std::string_view bytes, Text&& text, Line&& line) {
    while (!bytes.empty()) {
      if (held_.empty() && !(at_start_ && bytes[0] == ':')) {
        const std::size_t end = next_start(bytes);
        text(bytes.substr(0, end));
        at_start_ = bytes[end - 1] == '\n';
        bytes.remove_prefix(end);
        continue;
      }
      const void* found = std::memchr(bytes.data(), '\n', bytes.size());
      const std::size_t length =
          found == nullptr ? bytes.size() : static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
      held_.append(bytes.substr(0, length));
      bytes.remove_prefix(length);
      at_start_ = false;
      const bool may_be = held_.size() == 1 || (held_[1] == ':' && held_.size() <= kLongest);
      if (may_be && found == nullptr) return;
      if (may_be) line(std::string_view(held_));
      text(std::string_view(held_));
      held_.clear();
    }
  }

  /// The stream has ended: a last line needs no newline.
  template <class Text, class Line>
  void finish(Text&& text, Line&& line) {
    if (held_.empty()) return;
    line(std::string_view(held_));
    text(std::string_view(held_));
    held_.clear();
  }

 private:
  /// Up to behind the first newline that a colon follows, or all.
  static std::size_t next_start(std::string_view bytes) {
    constexpr std::size_t kBlock = 256;
    std::size_t at = 0;
    // A loop without branches, which the compiler makes vectors of: 1 GiB in a tenth of a second.
    for (; at + kBlock < bytes.size(); at += kBlock) {
      const char* const p = bytes.data() + at;
      unsigned char hit = 0;
      for (std::size_t i = 0; i < kBlock; ++i) {
        hit = static_cast<unsigned char>(
            hit | (static_cast<unsigned>(p[i] == '\n') & static_cast<unsigned>(p[i + 1] == ':')));
      }
      if (hit != 0) break;
    }
    const std::size_t found = bytes.find("\n:", at);
    return found == std::string_view::npos ? bytes.size() : found + 1;
  }

  std::string held_;
  bool at_start_ = true;
};

}  // namespace slipway::init
