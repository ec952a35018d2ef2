#include "cli/prompt.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "os/files.h"
#include "os/wait.h"

namespace slipway::cli {

namespace {

constexpr std::size_t kLongestAnswer = 64U << 10U;

}  // namespace

Prompt Prompt::open(Mode mode, os::CallLimit limit) {
  if (mode == Mode::never) return Prompt(os::Fd());
  return Prompt(os::Fd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)), limit);
}

Result<std::string> Prompt::line(const std::string& question, bool echo) {
  if (!terminal_) return fail(ErrorKind::invalid, "nobody can be asked here");
  termios before{};
  if (::tcgetattr(terminal_.get(), &before) != 0) return fail_errno(errno, "asking at the terminal");
  // Ctrl-C comes as a character, so that no signal can leave the terminal without its echo.
  termios raw = before;
  raw.c_lflag &= ~static_cast<tcflag_t>(ISIG | ICANON | ECHO);
  if (echo) raw.c_lflag |= ECHO;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  if (::tcsetattr(terminal_.get(), TCSAFLUSH, &raw) != 0) return fail_errno(errno, "asking at the terminal");
  const ScopeExit restore([&] { (void)::tcsetattr(terminal_.get(), TCSANOW, &before); });  // nothing else can be done
  SW_CHECK(os::write_all(terminal_.get(), question));
  std::string answer;
  for (;;) {
    char c = 0;
    if (const auto waited = os::wait_readable(terminal_.get(), limit_); !waited) {
      (void)os::write_all(terminal_.get(), "\n");  // cosmetic
      return std::unexpected(waited.error());
    }
    const ssize_t got = ::read(terminal_.get(), &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading from the terminal");
    if (got == 0 || c == '\n' || c == '\r' || c == '\x04') break;
    if (c == '\x03') {
      (void)os::write_all(terminal_.get(), "\n");  // cosmetic
      return fail(ErrorKind::cancelled, "interrupted");
    }
    if (c == '\x7f' || c == '\b') {
      if (!answer.empty()) answer.pop_back();
    } else if (c == '\x15') {
      answer.clear();
    } else {
      if (answer.size() >= kLongestAnswer) return fail(ErrorKind::exhausted, "the answer is too long");
      answer.push_back(c);
    }
  }
  if (!echo) SW_CHECK(os::write_all(terminal_.get(), "\n"));
  return answer;
}

Result<std::string> Prompt::secret(const std::string& question) { return line(question, false); }

Result<bool> Prompt::confirm(const std::string& question) {
  SW_TRY(const std::string answer, line(question + " [y/N] ", true));
  return trim(answer) == "y" || trim(answer) == "yes" || trim(answer) == "Y";
}

}  // namespace slipway::cli
