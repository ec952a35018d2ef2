#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"
#include "os/fd.h"

namespace slipway::cli {

/// Asks the person at the terminal, if there is one. One thread.
class Prompt {
 public:
  enum class Mode { ask, never };  ///< never: --no-input

  /// /dev/tty where the process has one. Asking without one is `invalid`, with what to do instead.
  /// `limit` is for all that is asked: its end is `cancelled` or `timeout`.
  static Prompt open(Mode mode, os::CallLimit limit = {});
  /// For a terminal that is known.
  explicit Prompt(os::Fd terminal, os::CallLimit limit = {}) : terminal_(std::move(terminal)), limit_(limit) {}

  /// A line, not echoed; at most 64 KiB. Ctrl-C is `cancelled`, and the terminal is as it was.
  Result<std::string> secret(const std::string& question);
  /// `y` or `yes` is true; everything else, an empty line too, is false.
  Result<bool> confirm(const std::string& question);

 private:
  Result<std::string> line(const std::string& question, bool echo);
  os::Fd terminal_;
  os::CallLimit limit_;
};

}  // namespace slipway::cli
