#include "cli/attach.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>

namespace slipway::cli {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPiece = 65536;
constexpr auto kMessageLimit = 5s;
constexpr auto kLastWords = 100ms;
constexpr std::string_view kEnterAlternate = "\x1b[?1049h", kLeaveAlternate = "\x1b[?1049l";
// Cursor shown, no mouse reports, no marks around what is pasted, plain colours.
constexpr std::string_view kPlain = "\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m";

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) {  // whoever shares our terminal made it non-blocking
      pollfd one{fd, POLLOUT, 0};
      ::poll(&one, 1, -1);
      continue;
    }
    if (put < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

void set_non_blocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

// One way: from a descriptor of ours to one of the sandbox's. What does not fit waits, and nothing more is read.
class Inwards {
 public:
  Inwards(int from, os::Fd to, bool closes) : from_(from), to_(std::move(to)), closes_(closes) {}

  int to() const { return to_.get(); }
  bool wants_input() const { return !ended_ && held_.empty(); }
  bool wants_room() const { return !held_.empty(); }

  void take() {
    std::array<char, kPiece> buffer;
    const ssize_t got = ::read(from_, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got > 0) held_.assign(buffer.data(), static_cast<std::size_t>(got));
    if (got <= 0) end();
    give();
  }

  void give() {
    if (held_.empty()) return;
    const ssize_t put = ::write(to_.get(), held_.data(), held_.size());
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (put < 0) {  // it reads no more
      held_.clear();
      return end();
    }
    held_.erase(0, static_cast<std::size_t>(put));
  }

 private:
  void end() {
    ended_ = true;
    if (closes_) to_.reset();
  }
  int from_;
  os::Fd to_;
  bool closes_, ended_ = false;
  std::string held_;
};

// The other way. False: the end.
bool pass_out(int from, int to, RawTerminal* terminal) {
  std::array<char, kPiece> buffer;
  const ssize_t got = ::read(from, buffer.data(), buffer.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (got <= 0) return false;  // of a terminal EIO: nobody has it open in there
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  if (terminal != nullptr) terminal->saw(bytes);
  return write_all(to, bytes);
}

// Or hung up, before `until`.
bool is_readable(int fd, os::Deadline until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - os::Clock::now());
  if (left < 0ms) return false;
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, static_cast<int>(left.count())) > 0;
}

void copy_size(int from, int to) {
  winsize size{};
  if (::ioctl(from, TIOCGWINSZ, &size) == 0) ::ioctl(to, TIOCSWINSZ, &size);
}

// Readable when the window has another size.
os::Fd watch_size() {
  sigset_t resized;
  ::sigemptyset(&resized);
  ::sigaddset(&resized, SIGWINCH);
  return os::Fd(::signalfd(-1, &resized, SFD_CLOEXEC | SFD_NONBLOCK));
}

void take_signals(int fd) {
  signalfd_siginfo info;
  while (::read(fd, &info, sizeof info) > 0) {  // several are one
  }
}

// What it printed last may still be on its way; what it left in the background is not waited for.
void pass_out_rest(const std::array<int, 2>& outs, RawTerminal* terminal) {
  const os::Deadline last = os::Clock::now() + kLastWords;
  for (std::size_t i = 0; i < 2; ++i) {
    while (outs[i] >= 0 && is_readable(outs[i], last) &&
           pass_out(outs[i], i == 0 ? STDOUT_FILENO : STDERR_FILENO, terminal)) {
    }
  }
}

}  // namespace

WindowSize window_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {size.ws_row, size.ws_col};
}

struct RawTerminal::Modes {
  termios before{};
};

Result<RawTerminal> RawTerminal::enter(int fd) {
  auto modes = std::make_unique<Modes>();
  if (::tcgetattr(fd, &modes->before) != 0) return fail_errno(errno, "the terminal");
  termios raw = modes->before;
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd, TCSADRAIN, &raw) != 0) return fail_errno(errno, "the terminal");
  return RawTerminal(fd, std::move(modes));
}

RawTerminal::RawTerminal(int fd, std::unique_ptr<Modes> modes) : fd_(fd), modes_(std::move(modes)) {}
RawTerminal::RawTerminal(RawTerminal&& other) noexcept = default;

RawTerminal::~RawTerminal() {
  if (!modes_) return;
  if (cut_off_) {
    if (alternate_) write_all(STDOUT_FILENO, kLeaveAlternate);
    write_all(STDOUT_FILENO, kPlain);
  }
  ::tcsetattr(fd_, TCSADRAIN, &modes_->before);
}

void RawTerminal::saw(std::string_view output) {
  tail_ += output;
  const std::size_t entered = tail_.rfind(kEnterAlternate), left = tail_.rfind(kLeaveAlternate);
  if (entered != std::string::npos || left != std::string::npos) {
    alternate_ = left == std::string::npos || (entered != std::string::npos && entered > left);
  }
  const std::size_t kept = std::min(tail_.size(), kEnterAlternate.size() - 1);
  tail_.erase(0, tail_.size() - kept);
}

Result<AttachOutcome> relay(AttachedCommand command, RawTerminal* terminal, const std::stop_token& stop) {
  const bool has_terminal = terminal != nullptr;
  if (command.fds.size() != (has_terminal ? 1 : 3)) {
    return fail(ErrorKind::internal, "the sandbox sent other descriptors than were asked for");
  }
  const os::Fd stopping(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const std::stop_callback wake(stop, [&] {
    const std::uint64_t one = 1;
    (void)!::write(stopping.get(), &one, sizeof one);  // cannot block: the count is tiny
  });
  const os::Fd sizes = watch_size();
  if (!stopping || !sizes) return fail_errno(errno, "waiting for the terminal");

  for (const os::Fd& fd : command.fds) set_non_blocking(fd.get());
  // A terminal is one descriptor both ways.
  std::array<int, 2> outs = {has_terminal ? command.fds[0].get() : command.fds[1].get(),
                             has_terminal ? -1 : command.fds[2].get()};
  const os::Fd screen(has_terminal ? ::dup(command.fds[0].get()) : -1);
  if (has_terminal) outs[0] = screen.get();
  Inwards keys(STDIN_FILENO, std::move(command.fds[0]), !has_terminal);
  if (has_terminal) copy_size(STDIN_FILENO, screen.get());  // it may have changed since it was asked for

  AttachOutcome outcome;
  for (bool over = false; !over;) {
    std::array<pollfd, 7> polled = {pollfd{command.visit.fd(), POLLIN, 0},
                                    pollfd{stopping.get(), POLLIN, 0},
                                    pollfd{has_terminal ? sizes.get() : -1, POLLIN, 0},
                                    pollfd{outs[0], POLLIN, 0},
                                    pollfd{outs[1], POLLIN, 0},
                                    pollfd{keys.wants_input() ? STDIN_FILENO : -1, POLLIN, 0},
                                    pollfd{keys.wants_room() ? keys.to() : -1, POLLOUT, 0}};
    if (::poll(polled.data(), polled.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return fail_errno(errno, "poll");
    }
    if (polled[1].revents != 0) return fail(ErrorKind::cancelled, "stopped");
    if (polled[2].revents != 0) {
      take_signals(sizes.get());
      copy_size(STDIN_FILENO, screen.get());
    }
    for (int i = 0; i < 2; ++i) {
      if (polled[static_cast<std::size_t>(3 + i)].revents == 0) continue;
      int& out = outs[static_cast<std::size_t>(i)];
      if (pass_out(out, i == 0 ? STDOUT_FILENO : STDERR_FILENO, terminal)) continue;
      out = -1;
      // Nobody reads what it prints, or it prints no more: if it does all the same, it is to hear of it.
      if (!has_terminal) command.fds[static_cast<std::size_t>(1 + i)].reset();
    }
    if (polled[5].revents != 0) keys.take();
    if (polled[6].revents != 0) keys.give();
    if (polled[0].revents != 0) {
      const auto message = command.visit.receive(os::within(kMessageLimit));
      if (message) {
        SW_TRY(outcome.end, wire::decode_visit_end(message->text));
      }
      over = true;
    }
  }
  pass_out_rest(outs, terminal);
  return outcome;
}

}  // namespace slipway::cli
