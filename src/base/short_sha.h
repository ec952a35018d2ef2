#pragma once

#include <string_view>

namespace slipway {

/// A commit as people read it: of the same length everywhere, and `short_sha` of expressions.
inline std::string_view short_sha(std::string_view sha) {
  constexpr std::size_t kLength = 7;
  return sha.substr(0, kLength);
}

}  // namespace slipway
