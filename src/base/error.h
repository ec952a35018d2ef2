#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace slipway {

/// What the caller should do about an error. A new kind needs a new reaction somewhere.
enum class ErrorKind {
  invalid,      ///< fix the input
  not_found,    ///< it is not there
  conflict,     ///< somebody else changed it: reload
  denied,       ///< not allowed
  exhausted,    ///< a limit was hit
  unavailable,  ///< try again later, with backoff
  timeout,      ///< the deadline passed
  cancelled,    ///< the caller asked to stop
  internal,     ///< a bug or a broken machine
};

std::string_view to_string(ErrorKind kind);

/// `what` reads outermost first: `starting job test: mounting /usr: permission denied`.
/// It never holds a secret, a token or an environment value.
struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string what;
};

template <class T>
using Result = std::expected<T, Error>;

/// `return fail(ErrorKind::invalid, "...")` from any function that returns a Result.
inline std::unexpected<Error> fail(ErrorKind kind, std::string what) {
  return std::unexpected<Error>(Error{kind, std::move(what)});
}

/// As `fail`, with the text of `error_number` (errno) appended and the kind chosen from it.
std::unexpected<Error> fail_errno(int error_number, std::string_view doing);

/// Puts `doing: ` before the message, keeps the kind. For use once a layer.
std::unexpected<Error> wrap(Error error, std::string_view doing);

/// Ends the process: for bugs only, never for input from network, disk or users.
[[noreturn]] void assert_failed(const char* condition, const char* why, const char* file, int line);

}  // namespace slipway

#define SW_CONCAT_INNER(a, b) a##b
#define SW_CONCAT(a, b) SW_CONCAT_INNER(a, b)

/// `SW_TRY(const auto x, f());` declares x from f()'s value, or returns f()'s error.
#define SW_TRY(declaration, ...)                                             \
  auto SW_CONCAT(sw_try_, __LINE__) = (__VA_ARGS__);                         \
  if (!SW_CONCAT(sw_try_, __LINE__)) [[unlikely]]                            \
    return std::unexpected(std::move(SW_CONCAT(sw_try_, __LINE__)).error()); \
  declaration = std::move(*SW_CONCAT(sw_try_, __LINE__))

/// `SW_CHECK(f());` returns f()'s error, if any.
#define SW_CHECK(...)                                          \
  do {                                                         \
    if (auto sw_check = (__VA_ARGS__); !sw_check) [[unlikely]] \
      return std::unexpected(std::move(sw_check).error());     \
  } while (false)

/// A bug if false. On in release builds.
#define SW_ASSERT(condition, why) \
  ((condition) ? static_cast<void>(0) : ::slipway::assert_failed(#condition, why, __FILE__, __LINE__))
