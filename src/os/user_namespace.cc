#include "os/user_namespace.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/text.h"
#include "os/files.h"
#include "os/subprocess.h"

namespace slipway::os {

namespace {

// What a child tells: a descriptor of the shared table, or which call failed.
struct Word {
  int fd = -1;
  int error = 0;
};

// A fork that shares the table of descriptors, so that one opened by the child is the parent's too.
pid_t fork_sharing_descriptors() {
  return static_cast<pid_t>(::syscall(SYS_clone, CLONE_FILES | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

[[noreturn]] void tell_and_wait(int pipe, Word word, pid_t starter) {
  // It holds all descriptors of its owner, which may be killed before it ends this one.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != starter) ::_exit(1);
  [[maybe_unused]] const auto told = ::write(pipe, &word, sizeof word);  // nobody reads: the parent is gone
  for (;;) ::pause();                                                    // until killed
}

void end(pid_t child) {
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<void> write_map(pid_t pid, const char* file, const std::string& map) {
  SW_TRY(const Fd fd, open_file(fmt::format("/proc/{}/{}", pid, file), O_WRONLY));
  if (::write(fd.get(), map.data(), map.size()) < 0) return fail_errno(errno, std::string("writing ") + file);
  return {};
}

Result<Word> read_word(int pipe) {
  Word word;
  while (::read(pipe, &word, sizeof word) != sizeof word) {
    if (errno != EINTR) return fail(ErrorKind::internal, "a helper process ended early");
  }
  if (word.error != 0) return fail_errno(word.error, "making a user namespace");
  return word;
}

}  // namespace

Result<Fd> make_user_namespace(const IdMap& map) {
  SW_TRY(const Pipe pipe, make_pipe());
  const pid_t starter = ::getpid();
  const pid_t child = fork_sharing_descriptors();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) {
    if (::unshare(CLONE_NEWUSER) != 0) tell_and_wait(pipe.write.get(), {-1, errno}, starter);
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // else its /proc files belong to the host's root, whoever we are
    const int fd = ::open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    tell_and_wait(pipe.write.get(), {fd, fd < 0 ? errno : 0}, starter);
  }
  const ScopeExit cleanup([&] { end(child); });
  SW_TRY(const Word word, read_word(pipe.read.get()));
  Fd made(word.fd);
  SW_CHECK(write_map(child, "uid_map", map.users));
  SW_CHECK(write_map(child, "gid_map", map.groups));
  return made;
}

namespace {

constexpr unsigned long kRangeNeeded = 65'534;  // with `nobody`

struct Range {
  std::string first;
  bool usable = false;
};

// Not getpwuid: a static program cannot load what that needs.
std::string name_of(uid_t user) {
  const std::string text = read_file("/etc/passwd", 1U << 20U).value_or("");
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() > 2 && fields[2] == std::to_string(user)) return std::string(fields[0]);
  }
  return "";
}

// Of /etc/subuid or /etc/subgid: `name-or-id:first:count`.
Range subordinate_range(const char* file, uid_t user) {
  const std::string text = read_file(file, 1U << 20U).value_or("");
  const std::string name = name_of(user);
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() != 3) continue;
    if (fields[0] != std::to_string(user) && fields[0] != name) continue;
    if (std::strtoul(std::string(fields[2]).c_str(), nullptr, 10) >= kRangeNeeded)
      return {std::string(fields[1]), true};
  }
  return {};
}

// Runs the set-uid tool that may write a map of a range.
bool map_with(const char* tool, pid_t pid, uid_t own, const std::string& first) {
  const std::string count = std::to_string(kRangeNeeded);
  const auto output =
      run_command({.argv = {tool, std::to_string(pid), "0", std::to_string(own), "1", "1", first, count},
                   .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                   .working_dir = "/",
                   .fds = {}},
                  1U << 16U, within(std::chrono::seconds(5)));
  return output && output->exit_code == 0;
}

// In a child that stays outside: `pid` waits in its new namespace. 0: both maps are written.
int map_from_outside(pid_t pid, uid_t user, gid_t group) {
  const Range users = subordinate_range("/etc/subuid", user), groups = subordinate_range("/etc/subgid", user);
  if (!users.usable || !groups.usable) return 1;
  return map_with("newuidmap", pid, user, users.first) && map_with("newgidmap", pid, group, groups.first) ? 0 : 1;
}

}  // namespace

bool may_map_a_range() {
  const uid_t user = ::geteuid();
  return subordinate_range("/etc/subuid", user).usable && subordinate_range("/etc/subgid", user).usable &&
         ::access("/usr/bin/newuidmap", X_OK) == 0;
}

Result<bool> enter_own_user_namespace() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  const pid_t self = ::getpid();
  SW_TRY(Pipe pipe, make_pipe());
  const pid_t helper = ::fork();
  if (helper < 0) return fail_errno(errno, "fork");
  if (helper == 0) {
    char byte = 0;
    pipe.write.reset();
    if (::read(pipe.read.get(), &byte, 1) != 1) ::_exit(1);
    ::_exit(map_from_outside(self, user, group));
  }
  const int unshared = ::unshare(CLONE_NEWUSER);
  const int error = errno;
  if (unshared == 0 && ::write(pipe.write.get(), "x", 1) != 1) return fail_errno(errno, "waking a helper");
  pipe.write.reset();
  int status = 0;
  while (::waitpid(helper, &status, 0) < 0 && errno == EINTR) {
  }
  if (unshared != 0) return fail_errno(error, "a user namespace (is kernel.unprivileged_userns_clone off?)");
  const bool with_range = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!with_range) {
    const int own = ::getpid();
    SW_CHECK(write_map(own, "setgroups", "deny"));
    SW_CHECK(write_map(own, "uid_map", fmt::format("0 {} 1\n", user)));
    SW_CHECK(write_map(own, "gid_map", fmt::format("0 {} 1\n", group)));
  }
  if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0)
    return fail_errno(errno, "becoming root of the namespace");
  return with_range;
}

Result<Fd> make_nested_user_namespace(int parent, uid_t owner, const IdMap& map) {
  SW_TRY(const Pipe pipe, make_pipe());
  const pid_t starter = ::getpid();
  const pid_t child = fork_sharing_descriptors();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) {
    // Only a process of the parent namespace may write the maps, and its owner is who makes it: both are this child.
    const int out = pipe.write.get();
    if (::setns(parent, CLONE_NEWUSER) != 0) tell_and_wait(out, {-1, errno}, starter);
    // Writing a map of a range needs capabilities, which a change from the namespace's root would take.
    if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0 || ::setgroups(0, nullptr) != 0 ||
        ::setresgid(owner, owner, owner) != 0 || ::setresuid(owner, owner, owner) != 0) {
      tell_and_wait(out, {-1, errno}, starter);
    }
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    auto made = make_user_namespace(map);
    tell_and_wait(out, made ? Word{made->release(), 0} : Word{-1, EPERM}, starter);
  }
  const ScopeExit cleanup([&] { end(child); });
  SW_TRY(const Word word, read_word(pipe.read.get()));
  return Fd(word.fd);
}

}  // namespace slipway::os
