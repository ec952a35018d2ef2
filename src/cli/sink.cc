#include "cli/sink.h"

#include "os/files.h"

namespace slipway::cli {

Sink::Sink(int fd, std::function<void()> on_reader_gone) : fd_(fd), on_reader_gone_(std::move(on_reader_gone)) {}

void Sink::flush() {
  if (!buffer_.empty() && !broken_) {
    if (auto done = os::write_all(fd_, buffer_); !done) {
      broken_ = true;
      error_ = std::move(done).error();
      if (on_reader_gone_) on_reader_gone_();
    }
  }
  buffer_.clear();
}

Result<void> Sink::status() const {
  if (broken_) return fail(ErrorKind::unavailable, "writing output: " + error_.what);
  return {};
}

}  // namespace slipway::cli
