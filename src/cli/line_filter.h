#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace slipway::cli {

/// `--grep`: a POSIX extended regular expression; what has nothing special in it is looked for as it stands.
/// One thread. Lines hold no newline; NUL bytes are as others.
class LineFilter {
 public:
  enum class Case { exact, ignore };
  /// An empty pattern matches all. `invalid` with what the expression lacks.
  static Result<LineFilter> make(const std::string& pattern, Case letters);

  LineFilter(LineFilter&&) noexcept;
  LineFilter& operator=(LineFilter&&) noexcept;
  ~LineFilter();

  bool matches(std::string_view line) const;

 private:
  struct Expression;
  LineFilter();
  std::string literal_;
  std::unique_ptr<Expression> expression_;
};

}  // namespace slipway::cli
