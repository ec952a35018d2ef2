#pragma once

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "os/call_limit.h"
#include "os/fd.h"

namespace slipway::os {

enum class LockMode { shared, exclusive };

/// A flock on a file of its own (created where missing), held until destroyed or the process dies.
/// Between processes and, since every acquisition opens the file anew, between threads.
class FileLock {
 public:
  /// Waits for it, looking every few milliseconds. Errors: `timeout`, `cancelled`, and those of opening the file.
  static Result<FileLock> acquire(const std::filesystem::path& path, LockMode mode, const CallLimit& limit);
  /// No value: somebody holds it.
  static Result<std::optional<FileLock>> try_acquire(const std::filesystem::path& path, LockMode mode);

  int fd() const { return fd_.get(); }

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace slipway::os
