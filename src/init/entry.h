#pragma once

#include <cstdint>
#include <string>

#include "os/cgroup.h"
#include "os/fd.h"
#include "os/seccomp.h"

/// Where the set-up of a sandbox (sandbox/native) hands over to the program in it.
namespace slipway::init {

/// What `run` finds. It is process 1 of a new pid namespace, in its own session, root directory and namespaces, with
///  - its id (`own_id`, also as group; no other groups), no_new_privs, an empty session keyring, core size 0;
///  - capabilities in the sandbox's user namespace: CHOWN DAC_OVERRIDE FOWNER KILL SETGID SETUID SETPCAP SYS_CHROOT,
///    effective and permitted, none inheritable or ambient (an exec as another id keeps none);
///  - all signals unblocked and at their defaults; stdin, stdout and stderr on /dev/null;
///  - no descriptors but those below, all close-on-exec;
///  - /run/slipway (0755, sockets and scripts; in it bin with `slipway`) and `secrets` of the workspace (0711), each
///  the
///    top of a small tmpfs that is mounted there and owned by `own_id`: no step writes to, moves or fills them;
///  - `workspace` and its `artifacts` directory made.
struct Entry {
  os::Fd leash;
  os::StepCgroups cgroups;
  /// The user namespace of steps that run as root: `setns(fd, CLONE_NEWUSER)` in the step's process, then setgroups,
  /// setresgid(0), setresuid(0), and drop the bounding set. `own_id` is not mapped in it. None: only one id can be
  /// mapped here; every step runs as `own_id`.
  os::Fd root_namespace;
  os::Nesting nesting = os::Nesting::refused;
  std::uint32_t own_id = 65533;
  std::uint32_t runner_id = 1001;  ///< user and group; HOME=/home/runner
  std::uint32_t source_id = 1002;  ///< who the runner of a sandbox beside this one is here
  bool single_id = false;          ///< rootless without a range: runner, root and init are all `own_id`
  std::string workspace = "/job";
  std::string runtime_dir = "/run/slipway";  ///< another one only where there is no sandbox (tests)
  /// Who the files of init in /proc belong to.
  enum class SelfFiles {
    hidden,    ///< the namespace's root, who is no root of the sandbox's: it is not dumpable
    of_own_id  ///< `own_id`: where a step can be that root (Docker). Being another's is what keeps steps out
  } self_files = SelfFiles::hidden;
  bool filter_calls = true;  ///< steps run under os::apply_step_filter
};

/// Runs the job; returns the exit status of process 1. With it everything in the sandbox ends.
int run(Entry entry);

/// How the set-up code calls `run` without depending on this module.
using EntryPoint = int (*)(Entry);

}  // namespace slipway::init
