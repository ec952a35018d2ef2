#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "init/identity.h"
#include "os/cgroup.h"
#include "os/fd.h"
#include "os/files.h"
#include "os/seccomp.h"

namespace slipway::init {

/// What is to be executed for one try of a step.
struct StepCommand {
  std::vector<std::string> argv;
  bool is_script = false;  ///< `argv` is a shell and what it is to read
  std::vector<std::string> environment;
  std::string working_dir;
  Identity identity;
  os::Nesting nesting = os::Nesting::refused;
  bool filter = true;                  ///< the system call filter
  int stdout_fd = -1, stderr_fd = -1;  ///< where its output goes; -1: into pipes of its own
  int stdin_fd = -1;                   ///< -1: /dev/null
  bool has_terminal = false;           ///< `stdin_fd` becomes its controlling terminal
  bool answers = false;                ///< it has a pipe to answer by, open as kAnswerFd
};

/// Where a step that answers (a hook) writes to; /dev/fd/N is a name for it.
inline constexpr int kAnswerFd = 3;

/// What people are told of a command that did not start.
struct CommandNames {
  std::string program, working_dir;
  bool is_script = false;  ///< the program is its shell
};

/// A step's main process: leader of its own session and process group.
struct StepProcess {
  pid_t pid = -1;
  os::Fd stdout_pipe;  ///< read ends, non-blocking; none where the command said where its output goes
  os::Fd stderr_pipe;
  os::Fd answer_pipe;  ///< the same; only of one that answers
  os::Fd start_error;  ///< see start_failure
  CommandNames names;
};

/// Why the process never came to execute the step's program.
struct StartFailure {
  enum class Stage { cgroup, identity, working_dir, filter, program } stage = Stage::program;
  int error_number = 0;
  CommandNames names;
};

/// A pipe for output: large, its read end non-blocking. It belongs to `writer`, who may open it by its name
/// (`echo x > /dev/stderr`).
Result<os::Pipe> make_output_pipe(uid_t writer);

/// Forks and returns at once. What goes wrong in the child shows when it has ended (exit status 127).
Result<StepProcess> start_step(const StepCommand& command, const os::StepCgroup& cgroup);

/// For a process that has ended: why it did not start, if so.
std::optional<StartFailure> start_failure(const StepProcess& process);

}  // namespace slipway::init
