#include "os/message_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "os/wait.h"

namespace slipway::os {

namespace {

struct Header {
  std::uint32_t length = 0;
  std::uint32_t fds = 0;
};

// A full socket buffer is waited out in short turns, so that `stop` and the deadline are seen.
Result<void> wait_writable(int fd, const CallLimit& limit) {
  for (;;) {
    if (limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "stop requested");
    if (Clock::now() >= limit.deadline) return fail(ErrorKind::timeout, "sending a message");
    pollfd polled{fd, POLLOUT, 0};
    constexpr int kTurnMs = 50;
    if (::poll(&polled, 1, kTurnMs) > 0) return {};
  }
}

}  // namespace

Result<void> MessageSocket::send(std::string_view text, const std::vector<int>& fds, const CallLimit& limit) {
  if (text.size() > kMaxText) return fail(ErrorKind::exhausted, "a message is too long");
  if (fds.size() > kMaxFds) return fail(ErrorKind::exhausted, "a message carries too many descriptors");
  const Header header{static_cast<std::uint32_t>(text.size()), static_cast<std::uint32_t>(fds.size())};
  std::string frame(sizeof header, '\0');
  std::memcpy(frame.data(), &header, sizeof header);
  frame.append(text);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> control{};
  std::string_view rest = frame;
  bool with_fds = !fds.empty();
  while (!rest.empty()) {
    iovec part{const_cast<char*>(rest.data()), rest.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (with_fds) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
      cmsghdr* rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
    }
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      SW_CHECK(wait_writable(socket_.get(), limit));
      continue;
    }
    if (sent < 0) return fail_errno(errno, "sending a message");
    with_fds = false;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<Message> MessageSocket::receive(const CallLimit& limit) {
  Message message;
  Header header;
  std::size_t have = 0;
  bool header_done = false;
  for (;;) {
    char* target = nullptr;
    std::size_t wanted = 0;
    if (!header_done) {
      target = reinterpret_cast<char*>(&header) + have;
      wanted = sizeof header - have;
    } else {
      target = message.text.data() + have;
      wanted = message.text.size() - have;
    }
    if (wanted == 0) {
      if (header_done) break;
      if (header.length > kMaxText || header.fds > kMaxFds)
        return fail(ErrorKind::invalid, "a message frame is broken");
      message.text.resize(header.length);
      header_done = true;
      have = 0;
      continue;
    }
    iovec part{target, wanted};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> control{};
    msghdr received{};
    received.msg_iov = &part;
    received.msg_iovlen = 1;
    received.msg_control = control.data();
    received.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket_.get(), &received, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      SW_CHECK(wait_readable(socket_.get(), limit));
      continue;
    }
    if (got < 0) return fail_errno(errno, "receiving a message");
    for (cmsghdr* item = CMSG_FIRSTHDR(&received); item != nullptr; item = CMSG_NXTHDR(&received, item)) {
      if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof fd);
        message.fds.emplace_back(fd);
      }
    }
    if (got == 0) {
      const bool orderly = !header_done && have == 0;
      return fail(ErrorKind::unavailable, orderly ? "closed" : "closed within a message");
    }
    have += static_cast<std::size_t>(got);
  }
  if (message.fds.size() != header.fds) return fail(ErrorKind::invalid, "a message lost its descriptors");
  return message;
}

}  // namespace slipway::os
