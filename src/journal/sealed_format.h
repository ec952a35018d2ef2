#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

/// The index of a sealed journal (journal/seal.h says what lies where): for seal.cc and sealed_source.cc.
namespace slipway::journal {

inline constexpr std::size_t kFooterBytes = 32;
inline constexpr std::uint64_t kMostIndexBytes = 256U << 20U;  ///< of a journal of terabytes

using StepLines = std::pair<std::uint16_t, std::uint64_t>;

struct FrameEntry {
  std::uint64_t offset = 0;             ///< in the journal
  std::uint64_t compressed_offset = 0;  ///< in the sealed file
  std::int64_t time = 0;                ///< µs; 0: the frame begins with no checkpoint
};

struct Footer {
  std::uint64_t index_bytes = 0;
  std::uint64_t journal_bytes = 0;
  std::uint32_t frames = 0;
};

void append_frame(std::string& index, const FrameEntry& frame, const std::vector<StepLines>& changed);
std::string skippable_header(std::size_t bytes);
std::string encode(const Footer& footer, std::string_view index);

/// The footer, if `bytes` (the file's last kFooterBytes) are one. Its crc is checked with the index.
Result<Footer> parse_footer(std::string_view bytes);
bool index_verifies(std::string_view index, std::string_view footer);

/// Walks the entries of an index.
class IndexWalk {
 public:
  explicit IndexWalk(std::string_view index) : rest_(index) {}
  /// False at the end, or where the index breaks off.
  bool next();
  FrameEntry frame;
  std::vector<StepLines> changed;

 private:
  std::string_view rest_;
};

}  // namespace slipway::journal
