#include "init/children.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/text.h"
#include "os/files.h"

namespace slipway::init {

namespace {

constexpr std::size_t kMaxChildrenText = 16U << 20U;

bool is_first_process() { return ::getpid() == 1; }

}  // namespace

Result<std::unique_ptr<Children>> Children::make(Poller& poller) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGCHLD);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return fail_errno(errno, "sigprocmask");
  os::Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail_errno(errno, "signalfd");
  if (!is_first_process() && ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail_errno(errno, "becoming subreaper");
  return std::unique_ptr<Children>(new Children(poller, std::move(signals)));  // private constructor
}

Children::Children(Poller& poller, os::Fd signals) : poller_(poller), signals_(std::move(signals)) {
  watch_ = poller_.watch(signals_.get(), POLLIN, [this] {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) > 0) {  // several deaths may be one signal: reap() asks for all
    }
    reap();
  });
}

Children::~Children() { poller_.unwatch(watch_); }

void Children::reap() {
  for (;;) {
    int status = 0;
    ChildEnd end;
    const pid_t pid = ::wait4(-1, &status, WNOHANG, &end.usage);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    end.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    const auto found = expected_.find(pid);
    if (found == expected_.end()) continue;
    const OnEnd on_end = std::move(found->second);
    expected_.erase(found);
    on_end(end);
  }
}

bool Children::any() {
  reap();
  // WNOWAIT leaves a child that ends just now for reap().
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void Children::signal_all(int signal) {
  if (is_first_process()) {
    ::kill(-1, signal);
    return;
  }
  const auto text = os::read_file("/proc/thread-self/children", kMaxChildrenText);
  if (!text) return;
  for (const std::string_view word : split(*text, ' ')) {
    pid_t pid = 0;
    if (std::from_chars(word.data(), word.data() + word.size(), pid).ec != std::errc() || pid <= 1) continue;
    // A step leads its group; an orphan of one is signalled by itself.
    if (::getpgid(pid) == pid) ::kill(-pid, signal);
    ::kill(pid, signal);
  }
}

}  // namespace slipway::init
