#include "os/user_namespace.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "os/files.h"

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

[[noreturn]] void tell_and_wait(int pipe, Word word) {
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
  const pid_t child = fork_sharing_descriptors();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) {
    if (::unshare(CLONE_NEWUSER) != 0) tell_and_wait(pipe.write.get(), {-1, errno});
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // else its /proc files belong to the host's root, whoever we are
    const int fd = ::open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    tell_and_wait(pipe.write.get(), {fd, fd < 0 ? errno : 0});
  }
  const ScopeExit cleanup([&] { end(child); });
  SW_TRY(const Word word, read_word(pipe.read.get()));
  Fd made(word.fd);
  SW_CHECK(write_map(child, "uid_map", map.users));
  SW_CHECK(write_map(child, "gid_map", map.groups));
  return made;
}

Result<Fd> make_nested_user_namespace(int parent, uid_t owner, const IdMap& map) {
  SW_TRY(const Pipe pipe, make_pipe());
  const pid_t child = fork_sharing_descriptors();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) {
    // Only a process of the parent namespace may write the maps, and its owner is who makes it: both are this child.
    const int out = pipe.write.get();
    if (::setns(parent, CLONE_NEWUSER) != 0) tell_and_wait(out, {-1, errno});
    if (::setgroups(0, nullptr) != 0 || ::setresgid(owner, owner, owner) != 0 ||
        ::setresuid(owner, owner, owner) != 0) {
      tell_and_wait(out, {-1, errno});
    }
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    auto made = make_user_namespace(map);
    tell_and_wait(out, made ? Word{made->release(), 0} : Word{-1, EPERM});
  }
  const ScopeExit cleanup([&] { end(child); });
  SW_TRY(const Word word, read_word(pipe.read.get()));
  return Fd(word.fd);
}

}  // namespace slipway::os
