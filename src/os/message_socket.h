#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"
#include "os/fd.h"

namespace slipway::os {

/// Messages with descriptors over a unix stream socket.
/// Frame: 4 bytes length, little endian; 4 bytes number of descriptors; the text. Descriptors ride on the header
/// (SCM_RIGHTS). Stream and not SEQPACKET: a job's definition may be larger than a socket buffer.
struct Message {
  std::string text;
  std::vector<Fd> fds;
};

class MessageSocket {
 public:
  static constexpr std::size_t kMaxText = 16U << 20U;
  static constexpr std::size_t kMaxFds = 64;

  explicit MessageSocket(Fd socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }

  /// One thread at a time may send, another may receive. `unavailable`: the peer is gone.
  Result<void> send(std::string_view text, const std::vector<int>& fds, const CallLimit& limit);

  /// `unavailable` with "closed" at an orderly end of file; `invalid` on a frame over the limits.
  Result<Message> receive(const CallLimit& limit);

 private:
  Fd socket_;
};

}  // namespace slipway::os
