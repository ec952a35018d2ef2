#include "init/helper_child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "os/files.h"

namespace slipway::init {

Result<HelperChild> start_helper(const Identity& identity, std::vector<int> kept,
                                 const std::function<Result<std::string>()>& work) {
  SW_TRY(os::Pipe pipe, os::make_pipe());
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  // Both ends: that nobody reads what it says is no failure of its work.
  kept.insert(kept.end(), {pipe.read.get(), pipe.write.get(), identity.user_namespace});
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid > 0) return HelperChild{pid, std::move(pipe.read)};

  ::setsid();
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  os::close_all_but(kept);
  Result<std::string> result = fail(ErrorKind::internal, "");
  // A copy of init holds every secret: nothing with the step's id may look into it.
  if (become(identity) && ::prctl(PR_SET_DUMPABLE, 0) == 0) {
    ::umask(022);
    result = work();
  } else {
    result = fail_errno(errno, "taking a step's identity");
  }
  const std::string text =
      result ? "+" + *result
             : std::string("-") + static_cast<char>('a' + static_cast<int>(result.error().kind)) + result.error().what;
  const bool told = os::write_all(pipe.write.get(), text).has_value();
  ::_exit(result && told ? 0 : 1);
}

Result<std::string> helper_answer(std::string_view text) {
  if (text.starts_with('+')) return std::string(text.substr(1));
  constexpr auto kLastKind = static_cast<int>(ErrorKind::internal);
  if (text.size() >= 2 && text[0] == '-' && text[1] >= 'a' && text[1] <= 'a' + kLastKind) {
    return fail(static_cast<ErrorKind>(text[1] - 'a'), std::string(text.substr(2)));
  }
  return fail(ErrorKind::unavailable, "the process that reads the job's files was ended");
}

}  // namespace slipway::init
