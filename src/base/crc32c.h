#pragma once

#include <cstdint>
#include <string_view>

namespace slipway {

/// CRC-32C (Castagnoli) of `bytes`, continuing from `crc` (0 at the start): `crc32c(crc32c(0, a), b)` is that of a
/// and b joined. Uses the processor's instruction where it has one, three streams at a time.
std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes);

/// As above without the instruction: for other processors, and to check the other one against.
std::uint32_t crc32c_portable(std::uint32_t crc, std::string_view bytes);

}  // namespace slipway
