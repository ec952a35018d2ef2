#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "os/fd.h"
#include "store/store.h"

/// Which processes are alive. Each that drives runs holds a lock (flock) on a file of its own in `state_dir/owners`;
/// the kernel lets go of it however the process ends. Rejected: process id and start time, which mean nothing
/// in another pid namespace that shares the state directory.
namespace slipway::store {

class Owner {
 public:
  /// Makes the file and locks it; the directory is created where missing.
  static Result<Owner> claim(const std::filesystem::path& state_dir);

  Owner(Owner&&) noexcept = default;
  Owner& operator=(Owner&&) noexcept = default;
  /// Removes the file, then lets go of the lock.
  ~Owner();

  /// What runs carry as `owner`.
  const std::string& id() const { return id_; }

 private:
  Owner(std::filesystem::path file, std::string id, os::Fd lock);
  std::filesystem::path file_;
  std::string id_;
  os::Fd lock_;
};

/// False once the process that claimed `owner` has ended; true when that cannot be told.
bool is_alive(const std::filesystem::path& state_dir, const std::string& owner);

/// Ends every run whose owner is dead: unfinished attempts, jobs and the run become `infra_failed`, reason
/// "slipway was killed"; jobs that had not started become `cancelled`. Removes dead owners' files.
///
/// `close` is given the attempts with their reports, at most once, before their rows are written: who dies in between
/// leaves all of it to the next `recover`, so `close` must bear being repeated. Several processes may call at once;
/// one at a time recovers, under a lock.
using CloseAttempts = std::function<void(const std::vector<AttemptRow>&)>;
Result<void> recover(Store& store, const std::filesystem::path& state_dir, Time now, const CloseAttempts& close);

}  // namespace slipway::store
