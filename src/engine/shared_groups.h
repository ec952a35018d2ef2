#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "model/concurrency.h"
#include "os/file_lock.h"

/// Private to engine/.
namespace slipway::engine {

/// Concurrency groups between processes that share a state directory; within a process model::ConcurrencyGroups orders
/// the members, and the one that it lets in asks here. One thread.
///
/// A lock (flock) on a file of the group says which process has it: one that dies lets go of it. `NAME.newest` beside
/// it names the newest member that does not just queue: older ones that wait give way to it, and where it says
/// `cancel_running`, so does the one inside. Nobody is woken: members look again every kLookAgain, and among processes
/// that queue no order is kept. Rejected: rows of the store, where the place of a dead process is not free by itself.
class SharedGroups {
 public:
  static constexpr auto kLookAgain = std::chrono::milliseconds(100);

  /// An empty directory: no other process takes part.
  explicit SharedGroups(std::filesystem::path directory) : directory_(std::move(directory)) {}
  bool are_shared() const { return !directory_.empty(); }

  /// `who` takes part from now on.
  Result<void> join(const std::string& group, model::Concurrency::Policy policy, const model::Holder& who);

  struct Sight {
    bool is_ours = true;         ///< this process has the group
    bool newer_waits = false;    ///< a newer member, of another process or this one, does not just queue
    bool newer_cancels = false;  ///< and wants the one inside to go
  };
  /// How things stand for `who`. Takes the group for this process where it is free and `who` need not give way.
  Result<Sight> look(const std::string& group, const model::Holder& who);

  /// `who` takes part no more.
  void leave(const std::string& group, const model::Holder& who);
  /// No member of this process is left: another one may have it.
  void release(const std::string& group) { groups_.erase(group); }
  void release_all() { groups_.clear(); }

 private:
  struct Group {
    std::optional<os::FileLock> lock;
    std::map<model::Holder, std::string> tickets;  // ordered as their members came
  };
  struct Newest {
    std::string ticket;
    bool cancels = false;
  };
  std::filesystem::path file_of(const std::string& group, const char* extension) const;
  Result<Newest> newest_of(const std::string& group) const;

  std::filesystem::path directory_;
  std::map<std::string, Group> groups_;
};

}  // namespace slipway::engine
