#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "secrets/masker.h"

namespace slipway::secrets {

/// Finds needles in text, some thousand at a few GB/s.
///
/// Of the text only one window of four bytes (a gram) in every `stride_` is looked at. Each needle has `stride_`
/// consecutive grams in a table, so wherever it stands, one of them falls on a window. The stride follows from the
/// shortest needle (its length - 3, at most kMostStride), and each needle offers the stretch of its grams that is
/// the rarest in build logs. A window costs one look-up in a bitmap that stays in the nearest caches (two bits in one
/// word of it); one in a hundred or so goes on to the table, and what is found there is compared.
/// (Rejected: Aho-Corasick, 0.5 GB/s; Teddy, whose nibble masks fill up beyond a hundred needles; a library of
/// 11.6 MB in a program of 6.)
class Matcher {
 public:
  struct Match {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  Matcher();
  /// False if it is known already.
  bool add(std::string needle);

  /// Appends every occurrence of a needle that lies in `text` (of those that begin at one place at least the
  /// longest), in no order.
  void find(std::string_view text, std::vector<Match>& matches) const;

  /// The first place from which `text` to its end is the beginning, but not all, of a needle; its size if none is.
  std::size_t first_open(std::string_view text) const;

  /// Appends the occurrences that begin from `from` on and before `to`: for a few places only.
  void find_within(std::string_view text, std::size_t from, std::size_t to, std::vector<Match>& matches) const;

  std::size_t needle_count() const { return needles_.size(); }
  std::size_t longest() const { return longest_; }
  std::size_t needle_bytes() const { return needle_bytes_; }
  /// Has a needle an ESC in it?
  bool has_escape() const { return has_escape_; }

 private:
  static constexpr std::size_t kGram = 4;
  static constexpr std::size_t kMostStride = 8;
  static constexpr std::uint32_t kNone = UINT32_MAX;

  /// An occurrence of a gram in a needle.
  struct Entry {
    std::uint32_t needle = 0;
    std::uint32_t offset = 0;
    std::uint32_t next = kNone;  // with the same gram
  };
  struct Slot {
    std::uint32_t gram = 0;
    std::uint32_t first = kNone;
  };

  void rebuild(unsigned bitmap_bits);
  void insert(std::uint32_t needle);
  void insert_gram(std::uint32_t gram, Entry entry);
  void grow_slots();
  std::size_t rarest_stretch(std::string_view needle) const;
  std::uint32_t first_entry(std::uint32_t gram) const;
  void check(std::string_view text, std::size_t at, std::vector<Match>& matches) const;

  std::deque<std::string> needles_;  // a deque: views of its strings stay good
  std::unordered_set<std::string_view> known_;
  std::size_t needle_bytes_ = 0;
  std::size_t longest_ = 0;
  bool has_escape_ = false;
  std::size_t stride_ = kMostStride;

  unsigned bitmap_bits_ = 0;           // its size is 2 to this
  std::vector<std::uint64_t> bitmap_;  // hashed grams
  std::vector<Slot> slots_;            // open addressing, a power of two, at most half full
  std::size_t used_slots_ = 0;
  std::vector<Entry> entries_;

  // Beginnings: of one byte, of two, and by three the needles.
  std::array<bool, 256> first_byte_{};
  std::vector<bool> first_two_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> by_three_;
};

}  // namespace slipway::secrets
