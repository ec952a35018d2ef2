#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace slipway::cli {

/// Gathers output and writes it in large pieces. A write that fails is remembered; later output is dropped.
/// One thread.
class Sink {
 public:
  explicit Sink(int fd, std::function<void()> on_reader_gone = nullptr);

  /// Append to it, then call `written`.
  std::string& buffer() { return buffer_; }
  /// Writes when enough was gathered.
  void written() {
    if (buffer_.size() >= kEnough) flush();
  }
  void flush();
  int fd() const { return fd_; }
  Result<void> status() const;

 private:
  static constexpr std::size_t kEnough = 256U << 10U;
  int fd_;
  std::function<void()> on_reader_gone_;
  std::string buffer_;
  Error error_;
  bool broken_ = false;
};

}  // namespace slipway::cli
