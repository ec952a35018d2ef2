#include "os/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "os/files.h"
#include "os/wait.h"

namespace slipway::os {

namespace {

// posix_spawnp would look in this process's PATH.
Result<std::string> find_program(const std::string& name, const std::vector<std::string>& environment) {
  if (name.find('/') != std::string::npos) return name;
  constexpr std::string_view kName = "PATH=";
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  if (environment.empty()) {
    if (const char* own = ::getenv("PATH"); own != nullptr) path = own;
  } else if (const auto at = std::ranges::find_if(environment, [&](const auto& one) { return one.starts_with(kName); });
             at != environment.end()) {
    path = at->substr(kName.size());
  }
  for (const std::string_view directory : split(path, ':')) {
    if (!directory.starts_with('/')) continue;  // the working directory holds whatever somebody put there
    std::string program = fmt::format("{}/{}", directory, name);
    struct stat status{};
    if (::stat(program.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(program.c_str(), X_OK) == 0) {
      return program;
    }
  }
  return fail(ErrorKind::not_found, fmt::format("starting {}: no such program in {}", name, path));
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

}  // namespace

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> raw;
  raw.reserve(strings.size() + 1);
  for (const std::string& text : strings) raw.push_back(const_cast<char*>(text.c_str()));  // exec's old type
  raw.push_back(nullptr);
  return raw;
}

Result<Subprocess> Subprocess::start(const Options& options) {
  if (options.argv.empty()) return fail(ErrorKind::invalid, "a command without words");
  SW_TRY(const std::string program, find_program(options.argv[0], options.environment));
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  const ScopeExit cleanup([&] {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  });
  // Duplicates above every target number first, so that one `theirs` cannot overwrite another's `ours`.
  std::vector<Fd> lifted;
  int highest = STDERR_FILENO;
  for (const auto& [ours, theirs] : options.fds) highest = std::max(highest, theirs);
  const auto pass = [&](int ours, int theirs) -> Result<void> {
    Fd copy(::fcntl(ours, F_DUPFD_CLOEXEC, highest + 1));
    if (!copy) return fail_errno(errno, "passing a descriptor");
    ::posix_spawn_file_actions_adddup2(&actions, copy.get(), theirs);
    lifted.push_back(std::move(copy));
    return {};
  };
  const int standard[] = {options.stdin_fd, options.stdout_fd, options.stderr_fd};
  for (int target = 0; target < 3; ++target) {
    if (standard[target] >= 0) {
      SW_CHECK(pass(standard[target], target));
    } else {
      // In a sandbox its job may have put something else there, which is not waited for.
      const int flags = (target == 0 ? O_RDONLY : O_WRONLY) | O_NONBLOCK;
      ::posix_spawn_file_actions_addopen(&actions, target, "/dev/null", flags, 0);
    }
  }
  for (const auto& [ours, theirs] : options.fds) SW_CHECK(pass(ours, theirs));
  ::posix_spawn_file_actions_addclosefrom_np(&actions, highest + 1);
  if (!options.working_dir.empty()) {
    ::posix_spawn_file_actions_addchdir_np(&actions, options.working_dir.c_str());
  }

  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (options.session == Options::Session::own) flags = static_cast<short>(flags | POSIX_SPAWN_SETSID);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);  // our threads block signals; the child must not inherit that
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, flags);

  const std::vector<char*> argv = pointers_to(options.argv);
  const std::vector<char*> environment = pointers_to(options.environment);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(),
                                  options.environment.empty() ? environ : environment.data());
  if (error != 0) return fail_errno(error, "starting " + options.argv[0]);
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int open_error = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail_errno(open_error, "pidfd_open");
  }
  return Subprocess(pid, std::move(pidfd));
}

Subprocess::Subprocess(Subprocess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  if (this != &other) {
    std::swap(pid_, other.pid_);
    std::swap(pidfd_, other.pidfd_);
  }
  return *this;
}

Subprocess::~Subprocess() {
  if (pid_ < 0) return;
  ::kill(-pid_, SIGKILL);  // its group, where it has one of its own; harmless otherwise
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<int> Subprocess::wait(const CallLimit& limit) {
  SW_ASSERT(pid_ > 0, "a child is waited for once");
  SW_CHECK(wait_readable(pidfd_.get(), limit));
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno(errno, "waitpid");
  }
  pid_ = -1;
  return exit_code_of(status);
}

void Subprocess::kill(int signal) {
  if (pid_ > 0) ::kill(pid_, signal);
}

Result<CommandOutput> run_command(const Subprocess::Options& options, std::size_t most_bytes, const CallLimit& limit) {
  SW_TRY(Pipe out, make_pipe());
  SW_TRY(Pipe err, make_pipe());
  Subprocess::Options piped = options;
  piped.stdout_fd = out.write.get();
  piped.stderr_fd = err.write.get();
  SW_TRY(Subprocess child, Subprocess::start(piped));
  out.write.reset();
  err.write.reset();
  CommandOutput output;
  struct Stream {
    Fd* fd;
    std::string* text;
  } streams[] = {{&out.read, &output.out}, {&err.read, &output.err}};
  while (*streams[0].fd || *streams[1].fd) {
    std::vector<int> open;
    std::vector<Stream*> owners;
    for (Stream& stream : streams) {
      if (!*stream.fd) continue;
      open.push_back(stream.fd->get());
      owners.push_back(&stream);
    }
    SW_TRY(const auto readable, wait_any_readable(open, limit));
    for (const std::size_t index : readable) {
      char buffer[65536];
      const ssize_t got = ::read(open[index], buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(errno, "reading from " + options.argv[0]);
      if (got == 0) {
        owners[index]->fd->reset();
        continue;
      }
      owners[index]->text->append(buffer, static_cast<std::size_t>(got));
      if (owners[index]->text->size() > most_bytes)
        return fail(ErrorKind::exhausted, options.argv[0] + " prints too much");
    }
  }
  SW_TRY(const int exit_code, child.wait(limit));
  output.exit_code = exit_code;
  return output;
}

}  // namespace slipway::os
