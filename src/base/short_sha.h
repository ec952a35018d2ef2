#pragma once

#include <string_view>

namespace slipway {

/// A commit, or a digest (`sha256:...`), as people read it: of the same length everywhere, and `short_sha` of
/// expressions.
inline std::string_view short_sha(std::string_view sha) {
  constexpr std::size_t kLength = 7;
  const std::size_t kind = sha.find(':');
  return sha.substr(0, kLength + (kind == std::string_view::npos ? 0 : kind + 1));
}

}  // namespace slipway
