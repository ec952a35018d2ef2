#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "os/call_limit.h"
#include "os/fd.h"

/// state_dir/sandboxes/ID: what a sandbox leaves on disk. Its file `lock` is flock'ed by the owner as long as that
/// lives, and lists the sandbox's control groups, one a line: all that a sweeper has to remove. Of a sandbox that
/// outlives its owner, its first process holds that lock too (adoption.h), and the owner alone one on `owner`.
namespace slipway::sandbox {

class SandboxDirectory {
 public:
  SandboxDirectory() = default;

  /// A new one, locked. `parent` exists. `conflict`: there is one of this id already.
  static Result<SandboxDirectory> create(const std::filesystem::path& parent, const SandboxId& id,
                                         const std::vector<std::string>& groups);
  /// Takes over one whose owner is dead. `conflict`: it lives; `not_found`.
  static Result<SandboxDirectory> take_over(const std::filesystem::path& parent, const SandboxId& id);

  /// Of a sandbox that is to outlive its owner: this process is that owner.
  Result<void> own();
  /// Of one that runs and has lost its owner: this process is the next one, and lacks `lock` yet. `conflict`: it has an
  /// owner; `not_found`: it has ended, or is not to be adopted.
  static Result<SandboxDirectory> adopt(const std::filesystem::path& parent, const SandboxId& id);
  /// What the sandbox's first process held, and goes on holding.
  Result<void> take_lock(os::Fd lock);

  int lock() const { return lock_.get(); }
  const std::filesystem::path& path() const { return path_; }
  const std::vector<std::string>& groups() const { return groups_; }

  /// Ends what is in its groups and removes them and the directory. Repeatable.
  Result<void> destroy();

 private:
  Result<void> read_groups();

  std::filesystem::path path_;
  std::vector<std::string> groups_;
  os::Fd lock_, owner_;
};

/// Those below `parent` whose owner is dead, and no orphans.
Result<std::vector<SandboxId>> abandoned_in(const std::filesystem::path& parent);
/// Those that run without an owner.
Result<std::vector<SandboxId>> orphans_in(const std::filesystem::path& parent);
/// Destroys those, and only those.
Result<void> sweep_directories(const std::filesystem::path& parent, Log& log, const os::CallLimit& limit);

}  // namespace slipway::sandbox
