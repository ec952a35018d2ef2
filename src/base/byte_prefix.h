#pragma once

#include <cstddef>
#include <string_view>

namespace slipway {

/// How many bytes at the front of `text` are not `is_odd`. In blocks, so that the compiler makes vector code of the
/// inner loop: `is_odd` takes an unsigned char, and has no branch (`|`, not `||`).
template <class IsOdd>
std::size_t prefix_without(std::string_view text, IsOdd is_odd) {
  constexpr std::size_t kBlock = 16;
  std::size_t at = 0;
  while (at + kBlock <= text.size()) {
    unsigned any = 0;
    for (std::size_t i = 0; i < kBlock; ++i)
      any |= static_cast<unsigned>(is_odd(static_cast<unsigned char>(text[at + i])));
    if (any != 0) break;
    at += kBlock;
  }
  while (at < text.size() && !is_odd(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

}  // namespace slipway
