#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::secrets {

/// Why a value cannot be masked without shredding the log. The caller shows it; the value is not masked.
enum class Weakness { none, too_short, too_common };

/// The values to mask and everything derived from them: base64 (three offsets, both alphabets), URL, hex in both
/// cases, JSON-escaped, each line of a multi-line value. One set serves every stream of a job.
/// Not thread-safe: owned by the thread that masks.
class SecretSet {
 public:
  SecretSet();
  ~SecretSet();
  SecretSet(SecretSet&&) noexcept;
  SecretSet& operator=(SecretSet&&) noexcept;

  /// Active at once for every later byte and for what streams hold back. Registering twice is harmless.
  Weakness add(std::string_view value);
  std::size_t size() const;

 private:
  friend class MaskingStream;
  struct Matcher;
  std::unique_ptr<Matcher> matcher_;
};

/// Masks one stream (a step's stdout or stderr). Any split of the input gives the same output. A partial match is
/// held back until it is decided or the stream ends, never released by time.
class MaskingStream {
 public:
  explicit MaskingStream(const SecretSet& secrets);

  /// Appends to `out` what is decided of the input so far, secrets replaced by `***`.
  void feed(std::string_view bytes, std::string& out);
  /// The stream has ended: the rest.
  void finish(std::string& out);
  std::size_t held_bytes() const;

 private:
  const SecretSet* secrets_;
  std::string held_;
};

inline constexpr std::string_view kMask = "***";

}  // namespace slipway::secrets
