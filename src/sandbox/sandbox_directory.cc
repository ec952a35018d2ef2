#include "sandbox/sandbox_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "os/cgroup.h"
#include "os/files.h"

namespace slipway::sandbox {

namespace {

constexpr std::size_t kMaxLockFile = 64U << 10U;
constexpr const char* kOwnerName = "owner";

enum class Patience { none, until_free };

// False: somebody else has it, or a sweeper removed it between open and lock.
bool lock_existing(const os::Fd& file, Patience patience) {
  const int flags = LOCK_EX | (patience == Patience::none ? LOCK_NB : 0);
  struct stat status{};
  return ::flock(file.get(), flags) == 0 && ::fstat(file.get(), &status) == 0 && status.st_nlink > 0;
}

}  // namespace

Result<SandboxDirectory> SandboxDirectory::create(const std::filesystem::path& parent, const SandboxId& id,
                                                  const std::vector<std::string>& groups) {
  SandboxDirectory made;
  made.path_ = parent / id.value;
  made.groups_ = groups;
  // A sweeper may see the directory before it is locked: it looks and lets go, or removes it; then again.
  constexpr int kTries = 5;
  for (int i = 0; i < kTries; ++i) {
    if (::mkdir(made.path_.c_str(), 0700) != 0 && (i == 0 || errno != EEXIST)) {
      return fail_errno(errno, "making " + made.path_.string());
    }
    made.lock_ = os::Fd(::open((made.path_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!made.lock_ && errno != ENOENT) return fail_errno(errno, "locking " + made.path_.string());
    if (!made.lock_ || !lock_existing(made.lock_, Patience::until_free)) continue;
    if (auto written = os::write_all(made.lock_.get(), join(groups, "\n")); !written) {
      (void)made.destroy();  // the first error counts
      return wrap(written.error(), made.path_.string());
    }
    return made;
  }
  return fail(ErrorKind::conflict, made.path_.string() + " is being swept");
}

Result<SandboxDirectory> SandboxDirectory::take_over(const std::filesystem::path& parent, const SandboxId& id) {
  SandboxDirectory taken;
  taken.path_ = parent / id.value;
  // Made where missing: its owner died before, or is about to look for it and will see that it is ours.
  SW_TRY(taken.lock_, os::open_file(taken.path_ / "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!lock_existing(taken.lock_, Patience::none))
    return fail(ErrorKind::conflict, taken.path_.string() + " is in use");
  SW_CHECK(taken.read_groups());
  return taken;
}

Result<void> SandboxDirectory::read_groups() {
  // From the beginning, wherever the one before who had this open file left it.
  if (::lseek(lock_.get(), 0, SEEK_SET) < 0) return fail_errno(errno, "reading the lock of " + path_.string());
  SW_TRY(const std::string text, os::read_all(lock_.get(), kMaxLockFile));
  groups_.clear();
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) groups_.emplace_back(line);
  }
  return {};
}

Result<void> SandboxDirectory::own() {
  SW_TRY(owner_, os::open_file(path_ / kOwnerName, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!lock_existing(owner_, Patience::none)) return fail(ErrorKind::conflict, path_.string() + " has an owner");
  return {};
}

Result<SandboxDirectory> SandboxDirectory::adopt(const std::filesystem::path& parent, const SandboxId& id) {
  SandboxDirectory adopted;
  adopted.path_ = parent / id.value;
  SW_TRY(adopted.owner_, os::open_file(adopted.path_ / kOwnerName, O_RDWR | O_NOFOLLOW));
  if (!lock_existing(adopted.owner_, Patience::none)) {
    return fail(ErrorKind::conflict, "sandbox " + id.value + " has an owner");
  }
  SW_TRY(const os::Fd lock, os::open_file(adopted.path_ / "lock", O_RDWR | O_NOFOLLOW));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) {
    return fail(ErrorKind::not_found, "sandbox " + id.value + " has ended");
  }
  return adopted;
}

Result<void> SandboxDirectory::take_lock(os::Fd lock) {
  lock_ = std::move(lock);
  return read_groups();
}

Result<void> SandboxDirectory::destroy() {
  SW_CHECK(os::remove_cgroups(groups_));
  SW_CHECK(os::remove_tree(path_));
  lock_.reset();
  owner_.reset();
  return {};
}

Result<std::vector<SandboxId>> abandoned_in(const std::filesystem::path& parent) {
  std::vector<SandboxId> found;
  SW_TRY(const std::vector<std::string> names, os::list_directory(parent));
  for (const std::string& name : names) {
    const SandboxId id(name);
    std::error_code gone;  // destroyed meanwhile
    if (std::filesystem::is_directory(parent / name, gone) && SandboxDirectory::take_over(parent, id)) {
      found.push_back(id);
    }
  }
  return found;
}

Result<std::vector<SandboxId>> orphans_in(const std::filesystem::path& parent) {
  std::vector<SandboxId> found;
  SW_TRY(const std::vector<std::string> names, os::list_directory(parent));
  for (const std::string& name : names) {
    if (const SandboxId id(name); SandboxDirectory::adopt(parent, id)) found.push_back(id);
  }
  return found;
}

Result<void> sweep_directories(const std::filesystem::path& parent, Log& log, const os::CallLimit& limit) {
  SW_TRY(const auto abandoned, abandoned_in(parent));
  for (const SandboxId& id : abandoned) {
    if (limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "stop requested");
    if (os::Clock::now() >= limit.deadline) return fail(ErrorKind::timeout, "sweeping");
    auto taken = SandboxDirectory::take_over(parent, id);
    if (!taken) continue;                                       // another sweeper was faster
    if (const auto destroyed = taken->destroy(); !destroyed) {  // it must not keep the others, nor new ones
      log.write(LogLevel::warn, "sandbox_not_swept", {{"sandbox", id.value}, {"error", destroyed.error().what}});
      continue;
    }
    log.write(LogLevel::info, "sandbox_swept", {{"sandbox", id.value}});
  }
  return {};
}

}  // namespace slipway::sandbox
