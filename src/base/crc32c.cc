#include "base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace slipway {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // Castagnoli, bits reversed

using Table = std::array<std::array<std::uint32_t, 256>, 8>;

/// table[k][b]: the crc of byte b followed by k zero bytes, so eight bytes cost eight independent look-ups.
constexpr Table make_table() {
  Table table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kPolynomial : 0U);
    table[0][byte] = crc;
  }
  for (std::size_t k = 1; k < table.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      table[k][byte] = (table[k - 1][byte] >> 8U) ^ table[0][table[k - 1][byte] & 0xFFU];
    }
  }
  return table;
}
constexpr Table kTable = make_table();

std::uint64_t load(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

#if defined(__x86_64__)

// The instruction takes 8 bytes in 3 cycles of latency but can start one each cycle: three blocks side by side keep
// it busy. Their crcs are joined by moving the first ones over the zeros that stand for the blocks behind them.
using Shift = std::array<std::array<std::uint32_t, 256>, 4>;

/// crc of a single bit moved over `zeros` zero bytes, for all four bytes of a crc.
constexpr Shift make_shift(std::size_t zeros) {
  std::array<std::uint32_t, 32> bits{};
  for (std::size_t bit = 0; bit < 32; ++bit) {
    std::uint32_t crc = 1U << bit;
    for (std::size_t i = 0; i < zeros; ++i) crc = (crc >> 8U) ^ kTable[0][crc & 0xFFU];
    bits[bit] = crc;
  }
  Shift shift{};
  for (std::size_t byte = 0; byte < 4; ++byte) {
    for (std::size_t value = 0; value < 256; ++value) {
      for (std::size_t bit = 0; bit < 8; ++bit) {
        if ((value >> bit & 1U) != 0) shift[byte][value] ^= bits[byte * 8 + bit];
      }
    }
  }
  return shift;
}

constexpr std::size_t kShortBlock = 256;
constexpr std::size_t kLongBlock = 4096;
constexpr Shift kShortShift = make_shift(kShortBlock);

/// Moving over 4,096 zeros is moving over 256 zeros sixteen times; composed here to keep compile-time work small.
constexpr std::uint32_t move(const Shift& shift, std::uint32_t crc) {
  return shift[0][crc & 0xFFU] ^ shift[1][crc >> 8U & 0xFFU] ^ shift[2][crc >> 16U & 0xFFU] ^ shift[3][crc >> 24U];
}
constexpr Shift make_long_shift() {
  Shift shift{};
  for (std::size_t byte = 0; byte < 4; ++byte) {
    for (std::size_t value = 0; value < 256; ++value) {
      auto crc = static_cast<std::uint32_t>(value << (byte * 8));
      for (std::size_t i = 0; i < kLongBlock / kShortBlock; ++i) crc = move(kShortShift, crc);
      shift[byte][value] = crc;
    }
  }
  return shift;
}
constexpr Shift kLongShift = make_long_shift();

template <std::size_t Block>
__attribute__((target("sse4.2"))) std::uint64_t three_blocks(std::uint64_t crc, const char*& at, std::size_t& left,
                                                             const Shift& shift) {
  while (left >= 3 * Block) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < Block; i += 8) {
      crc = _mm_crc32_u64(crc, load(at + i));
      second = _mm_crc32_u64(second, load(at + Block + i));
      third = _mm_crc32_u64(third, load(at + 2 * Block + i));
    }
    crc = move(shift, static_cast<std::uint32_t>(crc)) ^ second;
    crc = move(shift, static_cast<std::uint32_t>(crc)) ^ third;
    at += 3 * Block;
    left -= 3 * Block;
  }
  return crc;
}

__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::uint32_t start, std::string_view bytes) {
  std::uint64_t crc = ~start;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  crc = three_blocks<kLongBlock>(crc, at, left, kLongShift);
  crc = three_blocks<kShortBlock>(crc, at, left, kShortShift);
  for (; left >= 8; left -= 8, at += 8) crc = _mm_crc32_u64(crc, load(at));
  auto low = static_cast<std::uint32_t>(crc);
  for (; left > 0; --left, ++at) low = _mm_crc32_u8(low, static_cast<unsigned char>(*at));
  return ~low;
}

bool has_instruction() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") != 0;
}

#endif

}  // namespace

std::uint32_t crc32c_portable(std::uint32_t start, std::string_view bytes) {
  std::uint32_t crc = ~start;
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    const std::uint64_t word = load(at) ^ crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= kTable[7 - i][word >> (8 * i) & 0xFFU];
  }
  for (; left > 0; --left, ++at) crc = (crc >> 8U) ^ kTable[0][(crc ^ static_cast<unsigned char>(*at)) & 0xFFU];
  return ~crc;
}

std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
#if defined(__x86_64__)
  static const bool fast = has_instruction();
  if (fast) return crc32c_sse42(crc, bytes);
#endif
  return crc32c_portable(crc, bytes);
}

}  // namespace slipway
