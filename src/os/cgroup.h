#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "os/fd.h"

/// Control groups of a sandbox, on v1, hybrid and v2 hosts.
///
/// The host makes one group a sandbox (in every v1 hierarchy that counts, or one on v2), sets its limits, and gives the
/// directories' descriptors to `slipway-init`, to whose host id they belong. Init never enters them itself (the OOM
/// killer must not take it, and its journal's pages must not pin the group): it makes a child group a step, and the
/// step's process enters by writing `0` before exec. A pid written from outside costs milliseconds on an idle machine.
namespace slipway::os {

/// One directory that together make up a sandbox's group.
struct CgroupDirectory {
  enum Controller : unsigned { memory = 1, pids = 2, cpu = 4, cpuacct = 8, io = 16 };
  Fd fd;
  int version = 1;           ///< 1 or 2
  unsigned controllers = 0;  ///< bits of Controller
  enum class Use {
    own,      ///< steps get groups of their own in it
    watched,  ///< somebody else's (Docker's): steps are in it anyway; it tells of out-of-memory kills
  } use = Use::own;
};

struct CgroupFigures {
  std::uint64_t cpu_micros = 0, memory_peak_bytes = 0, io_read_bytes = 0, io_written_bytes = 0;  ///< 0: not known
  std::uint64_t out_of_memory_kills = 0;
};

/// The groups of another process that count its memory and processor time, to be watched; what cannot be seen is left
/// out.
std::vector<CgroupDirectory> groups_of(pid_t process);

/// What the files of one directory say.
CgroupFigures figures_of(const CgroupDirectory& directory);

// --- inside the sandbox ---

/// The group of one step. Owned by one thread.
class StepCgroup {
 public:
  StepCgroup() = default;  ///< no groups here: `enter` does nothing, figures are zero

  /// Takes the calling process in. For the step's own process between fork and exec, while it still has init's id:
  /// only system calls, no memory is allocated. False: errno says why.
  bool enter() const;

  CgroupFigures figures() const;

  /// The processes in it, as this pid namespace numbers them. Empty where there are no groups.
  std::vector<pid_t> processes() const;

  /// Removes the group; what still runs in it makes this fail with `conflict`. Its CPU time and peak stay in the
  /// sandbox's figures. Left undone, the host removes it with the sandbox.
  Result<void> remove();

 private:
  friend class StepCgroups;
  struct Part {
    Fd directory;  ///< of the step's group, or of the sandbox's where a step has none of its own (pids, cpu on v1)
    Fd entrance;   ///< `tasks` (v1) or `cgroup.procs` (v2)
    int version = 1;
    unsigned controllers = 0;
    bool own = false;
    std::uint64_t kills_before = 0;  ///< of a watched group, when the step began
  };
  std::vector<Part> parts_;
  std::vector<std::pair<int, std::string>> made_;  ///< parent's descriptor and the name in it; the parents outlive this
};

/// What init gets: the sandbox's groups. Outlives every StepCgroup made from it.
class StepCgroups {
 public:
  StepCgroups() = default;
  explicit StepCgroups(std::vector<CgroupDirectory> directories) : directories_(std::move(directories)) {}

  bool empty() const { return directories_.empty(); }

  /// `name` is unique within the sandbox: "step-3-1" (step, try).
  Result<StepCgroup> create(const std::string& name) const;

 private:
  std::vector<CgroupDirectory> directories_;
};

// --- on the host ---

struct CgroupLimits {
  std::optional<std::uint64_t> memory_bytes, pids;
  std::optional<double> cpus;
};

/// Which limits can be held here, and why not.
struct CgroupSupport {
  bool memory = false, pids = false, cpus = false, step_figures = false, io_figures = false;
  std::string place;  ///< "v1", "v2 below PATH" or both; empty: no groups can be made
  std::vector<std::string> notes;
};

/// The group of one sandbox, seen from outside. Any thread.
class SandboxCgroup {
 public:
  SandboxCgroup() = default;
  /// One that another process made.
  SandboxCgroup(std::vector<CgroupDirectory> directories, std::vector<std::string> paths)
      : directories_(std::move(directories)), paths_(std::move(paths)) {}

  const std::vector<CgroupDirectory>& directories() const { return directories_; }
  /// Absolute paths: what a sweeper needs to find them again.
  const std::vector<std::string>& paths() const { return paths_; }

  /// v2 only: the leaf that init lives in, beside the group that holds the limits (CLONE_INTO_CGROUP). -1: none.
  int init_leaf() const { return init_leaf_.get(); }

  /// With the out-of-memory kills of the steps' groups that are still there: v1 counts them nowhere else.
  CgroupFigures figures() const;

 private:
  friend class CgroupRoot;
  std::vector<CgroupDirectory> directories_;
  std::vector<std::string> paths_;
  Fd init_leaf_;
};

/// Where this process may make groups: below its own group on v1 and on a delegated v2, at the top for root on v2.
/// Opened once a process; afterwards immutable, any thread.
class CgroupRoot {
 public:
  /// Never fails: where nothing can be made, `support()` says why and `create` gives an empty group.
  static CgroupRoot open();

  const CgroupSupport& support() const { return support_; }

  /// v2: a process starts in a leaf of its group, so that the group is needed before the process.
  bool starts_in_leaf() const;

  /// Where `create` will make the groups of that name: to be written down before they exist.
  std::vector<std::string> paths_for(const std::string& name) const;

  /// `owner`: the host id that may make children in it.
  Result<SandboxCgroup> create(const std::string& name, const CgroupLimits& limits, uid_t owner) const;

 private:
  struct Parent {
    Fd fd;
    std::string path;
    int version = 1;
    unsigned controllers = 0;
  };
  std::vector<Parent> parents_;
  CgroupSupport support_;
};

/// Ends every process in these groups and removes them with all below, waiting for up to a second for the processes
/// of all of them. Missing ones are success; `conflict` names one that is left, the others are gone.
Result<void> remove_cgroups(const std::vector<std::string>& paths);

}  // namespace slipway::os
