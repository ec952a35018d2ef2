// An init for tests of the sandbox alone: obeys shell commands from the leash. A message is "WHO COMMAND", WHO
// `runner`, `root` or `init`; the answer is the exit status, a line feed, and what the command printed.
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "os/files.h"
#include "os/message_socket.h"
#include "os/seccomp.h"
#include "sandbox/docker/guest.h"
#include "sandbox/native/launcher.h"

namespace {

using slipway::init::Entry;
namespace os = slipway::os;

[[noreturn]] void become_and_exec(const Entry& entry, const os::StepCgroup& group, const std::string& who,
                                  const char* command) {
  if (!group.enter()) ::_exit(201);
  if (who == "root" && !entry.single_id) {
    if (::setns(entry.root_namespace.get(), CLONE_NEWUSER) != 0) ::_exit(202);
    if (::setgroups(0, nullptr) != 0 || ::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) ::_exit(203);
  } else if (who == "runner" && !entry.single_id) {
    const auto id = entry.runner_id;
    if (::setresgid(id, id, id) != 0 || ::setresuid(id, id, id) != 0) ::_exit(204);
  }
  if (who != "init" && !os::apply_step_filter(entry.nesting)) ::_exit(205);
  ::setenv("PATH", "/run/slipway/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
  ::setenv("HOME", "/home/runner", 1);
  ::execl("/bin/sh", "sh", "-c", command, nullptr);
  ::_exit(206);
}

std::string run_one(const Entry& entry, const std::string& text, int number) {
  const auto blank = text.find(' ');
  const std::string who = text.substr(0, blank), command = text.substr(blank + 1);
  auto group = entry.cgroups.create("step-" + std::to_string(number));
  if (!group) return "207\n" + group.error().what;
  auto pipe = os::make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    ::dup2(pipe->write.get(), 1);
    ::dup2(pipe->write.get(), 2);
    become_and_exec(entry, *group, who, command.c_str());
  }
  pipe->write.reset();
  int status = 0;
  auto output = os::read_all(pipe->read.get(), 1U << 20U);
  ::waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return std::to_string(code) + "\n" + output.value_or("");
}

int serve(Entry entry) {
  os::MessageSocket leash(std::move(entry.leash));
  for (int number = 0;; ++number) {
    auto message = leash.receive({});
    if (!message) return 0;
    if (message->text == "hang") continue;
    if (!leash.send(run_one(entry, message->text, number), {}, {})) return 0;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "docker") return slipway::sandbox::docker::run_guest(serve);
  if (argc < 3 || std::string(argv[1]) != "launcher") return 2;
  return slipway::sandbox::native::run_launcher(argv[2], {argv + 3, argv + argc}, serve);
}
