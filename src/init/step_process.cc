#include "init/step_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "base/text.h"
#include "init/environment.h"
#include "os/files.h"
#include "os/subprocess.h"

namespace slipway::init {

namespace {

constexpr int kPipeBytes = 1 << 20;
constexpr std::string_view kOomScore = "500";

/// Where the program may lie: as given when it has a slash, else in every directory of PATH.
std::vector<std::string> candidates(const std::string& program, std::string_view path) {
  if (program.find('/') != std::string::npos) return {program};
  std::vector<std::string> all;
  for (const std::string_view directory : split(path, ':')) {
    all.push_back((directory.empty() ? std::string(".") : std::string(directory)) + "/" + program);
  }
  return all;
}

/// Everything that the child needs, made before the fork: behind it only system calls are allowed.
struct Prepared {
  std::vector<std::string> programs;
  std::vector<char*> program_pointers, argv, environment;
  int stdin_fd = -1, stdout_fd = -1, stderr_fd = -1, answer_fd = -1, error_fd = -1;
};

/// What the child says of a StartFailure, through a pipe.
struct Told {
  StartFailure::Stage stage = StartFailure::Stage::program;
  int error_number = 0;
};

[[noreturn]] void give_up(const Prepared& prepared, StartFailure::Stage stage) {
  const Told told{stage, errno};
  (void)!::write(prepared.error_fd, &told, sizeof told);  // nobody is left to tell
  ::_exit(127);
}

void reset_signals() {
  for (int signal = 1; signal < 32; ++signal) ::signal(signal, SIG_DFL);  // fails for KILL and STOP, as it should
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// The killer takes a step rather than anything of the host. Where it cannot be set, nothing is lost.
/// A process that is not dumpable does not own its files in /proc. Nobody else has init's id, so that for a moment this
/// copy of init may be dumpable; a step's id it must not have then.
void prefer_for_killing() {
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); fd >= 0) {
    (void)!::write(fd, kOomScore.data(), kOomScore.size());
    ::close(fd);
  }
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/// Nothing of what init holds may be a way out: /proc/self/fd/N of a directory that was opened outside leads there, and
/// `..` on from it. So that by now it is all closed, no magic link is followed, and where this led is looked at.
bool enter_working_directory(const char* path) {
  const int directory = os::open_job_directory(path);
  if (directory < 0 || ::fchdir(directory) != 0) return false;
  ::close(directory);
  char where[PATH_MAX];
  // The bare call: glibc's searches from the root for what the kernel calls unreachable.
  if (::syscall(SYS_getcwd, where, sizeof where) <= 0) return false;
  if (where[0] == '/') return true;
  errno = EXDEV;
  return false;
}

[[noreturn]] void be_the_step(const StepCommand& command, const os::StepCgroup& cgroup, const Prepared& prepared) {
  using Stage = StartFailure::Stage;
  ::setsid();
  reset_signals();
  if (!cgroup.enter()) give_up(prepared, Stage::cgroup);
  ::umask(022);
  ::dup2(prepared.stdin_fd, STDIN_FILENO);
  ::dup2(prepared.stdout_fd, STDOUT_FILENO);
  ::dup2(prepared.stderr_fd, STDERR_FILENO);
  if (command.has_terminal) ::ioctl(STDIN_FILENO, TIOCSCTTY, 0);  // refused: without job control, but it works
  // Descriptors of ours lie above kAnswerFd (start_step): nothing that is still needed is written over.
  const bool answers = prepared.answer_fd >= 0 && ::dup2(prepared.answer_fd, kAnswerFd) == kAnswerFd;
  std::array kept = {answers ? kAnswerFd : -1, prepared.error_fd, command.identity.user_namespace};
  os::close_all_but(kept);
  if (command.identity.switches) prefer_for_killing();
  if (!become(command.identity)) give_up(prepared, Stage::identity);
  if (!enter_working_directory(command.working_dir.c_str())) give_up(prepared, Stage::working_dir);
  if (command.filter && !os::apply_step_filter(command.nesting)) give_up(prepared, Stage::filter);
  int error = ENOENT;
  for (char* const* program = prepared.program_pointers.data(); *program != nullptr; ++program) {
    ::execve(*program, prepared.argv.data(), prepared.environment.data());
    // As a shell does: a file that may not be executed is worth telling, one that is not there is not.
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  errno = error;
  give_up(prepared, Stage::program);
}

}  // namespace

Result<os::Pipe> make_output_pipe(uid_t writer) {
  SW_TRY(os::Pipe pipe, os::make_pipe());
  (void)::fchown(pipe.write.get(), writer, static_cast<gid_t>(-1));  // refused: it can be written to, not opened
  (void)::fcntl(pipe.read.get(), F_SETPIPE_SZ, kPipeBytes);  // refused past the user's pipe quota: slower, not wrong
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

Result<StepProcess> start_step(const StepCommand& command, const os::StepCgroup& cgroup) {
  if (command.argv.empty()) return fail(ErrorKind::invalid, "a step without a command");
  os::Pipe out, err, answer;
  if (command.stdout_fd < 0) {
    SW_TRY(out, make_output_pipe(command.identity.uid));
    SW_TRY(err, make_output_pipe(command.identity.uid));
  }
  SW_TRY(os::Pipe error, os::make_pipe());
  if (command.answers) {
    SW_TRY(answer, make_output_pipe(command.identity.uid));
    if (std::min(error.write.get(), answer.write.get()) <= kAnswerFd || command.identity.user_namespace == kAnswerFd)
      return fail(ErrorKind::internal, "the descriptors of a hook are taken");
  }
  // Root of the job may have put something else there: nothing that it can be is waited for.
  SW_TRY(const os::Fd null, os::open_file("/dev/null", O_RDONLY | O_NONBLOCK));
  ::fcntl(error.read.get(), F_SETFL, O_NONBLOCK);

  Prepared prepared;
  prepared.programs = candidates(command.argv[0], value_in(command.environment, "PATH"));
  prepared.program_pointers = os::pointers_to(prepared.programs);
  prepared.argv = os::pointers_to(command.argv);
  prepared.environment = os::pointers_to(command.environment);
  prepared.stdout_fd = command.stdout_fd < 0 ? out.write.get() : command.stdout_fd;
  prepared.stderr_fd = command.stdout_fd < 0 ? err.write.get() : command.stderr_fd;
  prepared.error_fd = error.write.get();
  prepared.stdin_fd = command.stdin_fd < 0 ? null.get() : command.stdin_fd;
  if (command.answers) prepared.answer_fd = answer.write.get();

  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "fork");
  if (pid == 0) be_the_step(command, cgroup, prepared);
  return StepProcess{pid,
                     std::move(out.read),
                     std::move(err.read),
                     std::move(answer.read),
                     std::move(error.read),
                     {command.argv[0], command.working_dir, command.is_script}};
}

std::optional<StartFailure> start_failure(const StepProcess& process) {
  Told told;
  const ssize_t got = ::read(process.start_error.get(), &told, sizeof told);
  if (got != static_cast<ssize_t>(sizeof told)) return {};
  return StartFailure{told.stage, told.error_number, process.names};
}

}  // namespace slipway::init
