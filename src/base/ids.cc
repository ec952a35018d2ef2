#include "base/ids.h"

#include <sys/random.h>

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/error.h"

namespace slipway {

std::string new_id() {
  // Milliseconds, forced to grow, so that ids made in one process sort by creation even within a millisecond.
  static std::atomic<std::uint64_t> last{0};
  const auto now = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
  std::uint64_t seen = last.load();
  std::uint64_t mine = 0;
  do {
    mine = seen >= now ? seen + 1 : now;
  } while (!last.compare_exchange_weak(seen, mine));
  std::uint64_t random = 0;
  SW_ASSERT(::getrandom(&random, sizeof random, 0) == sizeof random, "the kernel gives random bytes");
  constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string text(20, '0');
  for (std::size_t i = 0; i < 10; ++i) {
    text[9 - i] = kAlphabet[(mine >> (5 * i)) & 31];
    text[19 - i] = kAlphabet[(random >> (5 * i)) & 31];
  }
  return text;
}

}  // namespace slipway
