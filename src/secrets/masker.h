#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace slipway::secrets {

/// Why a value is not masked: it would shred the log, or cannot be. The caller shows it.
///   too_short:  fewer than kShortestSecret bytes (white space at the ends does not count)
///   too_common: one or two different bytes only (`--------`, `01010101`), a run of neighbours (`12345678`,
///               `abcdef`), a number of up to 8 digits, up to 7 letters and nothing else, or a word that logs are
///               full of (`password`, `localhost`; the list is in weakness.cc)
///   too_long:   more than kLongestSecret bytes
///   too_many:   the set's needles would take more than kMostNeedleBytes
enum class Weakness { none, too_short, too_common, too_long, too_many };

inline constexpr std::string_view kMask = "***";
inline constexpr std::size_t kShortestSecret = 6;
/// A line of a multi-line secret is masked by itself from this length on, if it is not too common.
inline constexpr std::size_t kShortestLine = 8;
inline constexpr std::size_t kLongestSecret = 64U << 10U;
inline constexpr std::size_t kMostNeedleBytes = 64U << 20U;

class Matcher;

/// The values to mask and everything derived from them, the needles: as it is; base64 at its three offsets in both
/// alphabets (without the edge characters that depend on what stands beside it, so padding never matters);
/// percent-encoded in both cases, as much as curl, Python, JavaScript and Java do, and with `+` for a space; hex in
/// both cases; JSON-escaped as common encoders do; quoted as a shell's trace shows it; each line of a multi-line
/// value, also percent-encoded, JSON-escaped and quoted. White space at the ends is no part of a value.
/// One set serves every stream of a job. Not thread-safe: owned by the thread that masks.
class SecretSet {
 public:
  SecretSet();
  ~SecretSet();
  SecretSet(SecretSet&&) noexcept;
  SecretSet& operator=(SecretSet&&) noexcept;

  /// Active at once for every later byte and for what streams hold back. Registering twice is harmless.
  Weakness add(std::string_view value);
  /// Secrets, and needles derived from them.
  std::size_t size() const { return size_; }
  std::size_t needle_count() const;

 private:
  friend class MaskingStream;
  std::unique_ptr<Matcher> matcher_;
  std::size_t size_ = 0;
};

/// Masks one stream (a step's stdout or stderr). Any split of the input gives the same output. A partial match is
/// held back until it is decided or the stream ends, never released by time. Needles that overlap become one mask
/// for all the bytes that any of them covers; needles that only touch become one mask each. A needle is also found
/// where escape sequences stand in it (`abc ESC[31m def`), as many as plain_text.h says: the mask takes them in.
/// `secrets` outlives the stream (moving the set is fine). Same thread.
class MaskingStream {
 public:
  explicit MaskingStream(const SecretSet& secrets);

  /// Appends to `out` what is decided of the input so far, secrets replaced by `***`.
  void feed(std::string_view bytes, std::string& out);
  /// The stream has ended: the rest.
  void finish(std::string& out);
  /// Less than the longest needle has, and the escape sequences that stand in it.
  std::size_t held_bytes() const;
  /// Masks put so far: not 0 tells that a value stands in text that has gone by.
  std::uint64_t masked_count() const { return masked_; }

 private:
  enum class Ended { no, yes };
  std::size_t join_held(std::string_view bytes, std::string& out);
  std::size_t decide(std::string_view text, Ended ended, std::string& out);

  const Matcher* matcher_;
  std::string held_;
  std::size_t covered_ = 0;  // for so many of the next bytes a mask stands already
  std::uint64_t masked_ = 0;
};

}  // namespace slipway::secrets
