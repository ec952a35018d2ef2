#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "secrets/matcher.h"

namespace slipway::secrets {

/// A longer run of escape sequences between two characters parts them: bounds what a stream must hold back.
inline constexpr std::size_t kLongestEscapes = 256;

/// Text without its escape sequences (CSI: colours, cursor, erase; and those of two or three characters, as
/// `tput sgr0` writes), as a viewer that drops them shows it; knows where each byte stood. OSC and its like stay:
/// viewers show them.
class PlainText {
 public:
  static bool has_escapes(std::string_view text) { return text.find('\x1b') != std::string_view::npos; }

  /// `text` begins outside of a sequence and outlives this.
  explicit PlainText(std::string_view text);

  /// Appends the needles in the plain text, and those in `text` as it is: they differ where escape sequences stand.
  void find(const Matcher& matcher, std::vector<Matcher::Match>& matches) const;
  /// As Matcher::first_open. A sequence that is not complete is open too.
  std::size_t first_open(const Matcher& matcher) const;
  /// `at`, or the begin of the sequence in which it lies.
  std::size_t outside_sequence(std::size_t at) const;

 private:
  struct Sequence {
    std::size_t begin = 0, end = 0;  // in the text
    std::size_t at = 0;              // where it was dropped in `plain_`
  };

  void find_in_pieces(const Matcher& matcher, std::vector<Matcher::Match>& matches) const;
  std::size_t place_of(std::size_t plain) const;

  std::string_view text_;
  std::string plain_;
  std::vector<Sequence> sequences_;
  std::vector<std::size_t> parted_;  // where runs over kLongestEscapes were dropped in `plain_`, each once
  std::size_t complete_ = 0;         // the begin of an incomplete sequence at the text's end, else its size
};

}  // namespace slipway::secrets
