#include "base/hashed_name.h"

#include <cstdint>

#include <sodium.h>

namespace slipway {

std::string hashed_name(std::initializer_list<std::string_view> parts) {
  crypto_generichash_state state;
  unsigned char digest[16];
  crypto_generichash_init(&state, nullptr, 0, sizeof digest);
  for (const std::string_view part : parts) {
    const std::uint64_t size = part.size();  // so that {"ab", "c"} and {"a", "bc"} differ
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&size), sizeof size);
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()), part.size());
  }
  crypto_generichash_final(&state, digest, sizeof digest);
  char hex[2 * sizeof digest + 1];
  sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
  return hex;
}

}  // namespace slipway
