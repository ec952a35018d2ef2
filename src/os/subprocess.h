#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"
#include "os/fd.h"

namespace slipway::os {

/// As exec wants them: one to each of `strings`, which must outlive them, and a null behind the last.
std::vector<char*> pointers_to(const std::vector<std::string>& strings);

/// A child process, started by posix_spawn: a fork of a large process would copy its page tables (37 ms at 1 GiB).
/// Owned by one thread; the destructor kills the child's process group and reaps it.
class Subprocess {
 public:
  struct Options {
    std::vector<std::string> argv;  ///< argv[0] without a slash is looked up in the child's PATH
    std::vector<std::string>
        environment;          ///< whole; empty: inherited. Without a PATH, the system's standard one counts
    std::string working_dir;  ///< empty: inherited
    std::vector<std::pair<int, int>> fds;  ///< {ours, theirs}: what else the child gets; all others are closed
    int stdin_fd = -1;                     ///< -1: /dev/null
    int stdout_fd = -1;                    ///< -1: /dev/null
    int stderr_fd = -1;                    ///< -1: /dev/null
    enum class Session { same, own } session = Session::own;  ///< own: Ctrl-C at the terminal does not reach it
  };

  /// Errors: `not_found` where there is no such program.
  static Result<Subprocess> start(const Options& options);

  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&& other) noexcept;
  ~Subprocess();

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }

  /// Waits for its end: the exit code, or 128 + signal. After an error the child still runs.
  Result<int> wait(const CallLimit& limit);
  void kill(int signal);

 private:
  Subprocess(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  pid_t pid_ = -1;
  Fd pidfd_;
};

struct CommandOutput {
  int exit_code = 0;
  std::string out;
  std::string err;
};

/// Runs a command to its end and collects what it prints, at most `most_bytes` of each stream (else `exhausted`).
Result<CommandOutput> run_command(const Subprocess::Options& options, std::size_t most_bytes, const CallLimit& limit);

}  // namespace slipway::os
