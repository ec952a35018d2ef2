#include "objects/objects.h"

#include <unistd.h>

#include <cerrno>

#include <sodium.h>

#include "os/files.h"

namespace slipway::objects {

namespace {

constexpr std::string_view kAlgorithm = "blake2b:";
constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kChunkBytes = 256 * 1024;

}  // namespace

Result<Digest> parse_digest(std::string_view text) {
  const bool named = text.starts_with(kAlgorithm) && text.size() == kAlgorithm.size() + 2 * kDigestBytes;
  if (!named || text.find_first_not_of("0123456789abcdef", kAlgorithm.size()) != std::string_view::npos) {
    return fail(ErrorKind::invalid, "this is no digest of an object");
  }
  return Digest{std::string(text)};
}

Result<Digest> digest_of(int fd, const os::CallLimit& limit) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, kDigestBytes);
  const auto chunk = std::make_unique_for_overwrite<unsigned char[]>(kChunkBytes);
  for (;;) {
    if (limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "reading an object");
    if (os::Clock::now() > limit.deadline) return fail(ErrorKind::timeout, "reading an object");
    const ssize_t got = ::read(fd, chunk.get(), kChunkBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading an object");
    if (got == 0) break;
    crypto_generichash_update(&state, chunk.get(), static_cast<unsigned long long>(got));
  }
  unsigned char digest[kDigestBytes];
  crypto_generichash_final(&state, digest, sizeof digest);
  char hex[2 * kDigestBytes + 1];
  sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
  return Digest{std::string(kAlgorithm) + hex};
}

Result<Object> Objects::put(int fd, std::uint64_t most_bytes, const os::CallLimit& limit) {
  SW_TRY(const auto upload, begin(most_bytes));
  const auto chunk = std::make_unique_for_overwrite<char[]>(kChunkBytes);
  for (std::uint64_t total = 0;;) {
    if (limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "storing an object");
    if (os::Clock::now() > limit.deadline) return fail(ErrorKind::timeout, "storing an object");
    const ssize_t got = ::read(fd, chunk.get(), kChunkBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading what to store");
    if (got == 0) break;
    total += static_cast<std::uint64_t>(got);
    if (total > most_bytes) return fail(ErrorKind::exhausted, fmt::format("larger than {} bytes", most_bytes));
    SW_CHECK(os::write_all(upload->fd(), {chunk.get(), static_cast<std::size_t>(got)}));
  }
  return upload->finish(limit);
}

}  // namespace slipway::objects
