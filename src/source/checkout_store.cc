#include "source/checkout_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "os/files.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostNote = 16U << 20U;

bool is_there(const fs::path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

Result<void> CheckoutStore::build(const std::string& key, const Make& make) const {
  const fs::path building = directory_ / (".building-" + key);
  SW_CHECK(os::remove_tree(building));  // of somebody who died in it
  SW_CHECK(os::remove_tree(directory_ / key));
  SW_CHECK(os::make_directories(building, 0700));
  const auto note = make(building);
  if (!note) {
    (void)os::remove_tree(building);  // the error that counts is the one before
    return std::unexpected(note.error());
  }
  SW_CHECK(os::replace_file(directory_ / (key + ".note"), *note, 0600));
  if (::rename(building.c_str(), (directory_ / key).c_str()) != 0) return fail_errno(errno, "keeping the checkout");
  return {};
}

Result<CheckoutStore::Kept> CheckoutStore::get(const std::string& key, const Make& make, const IsSound& is_sound,
                                               const os::CallLimit& limit) const {
  SW_CHECK(os::make_directories(directory_, 0700));
  const fs::path directory = directory_ / key;
  const fs::path lock_path = directory_ / (key + ".lock");
  const auto is_fine = [&] {
    if (!is_there(directory)) return false;
    if (!is_sound) return true;
    const auto note = os::read_file(directory_ / (key + ".note"), kMostNote);
    return note && is_sound(directory, *note);
  };
  for (;;) {
    {
      SW_TRY(os::FileLock in_use, os::FileLock::acquire(lock_path, os::LockMode::shared, limit));
      if (is_fine()) {
        (void)::futimens(in_use.fd(), nullptr);  // the time of last use, for sweep
        return Kept{directory, std::move(in_use)};
      }
    }
    SW_TRY(const auto alone, os::FileLock::acquire(lock_path, os::LockMode::exclusive, limit));
    if (!is_fine()) SW_CHECK(build(key, make));
  }
}

Result<std::size_t> CheckoutStore::sweep(Time used_before) const {
  std::size_t removed = 0;
  std::error_code error;
  std::vector<fs::path> locks;
  for (fs::directory_iterator at(directory_, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".lock") locks.push_back(at->path());
  }
  for (const fs::path& path : locks) {
    SW_TRY(const auto lock, os::FileLock::try_acquire(path, os::LockMode::exclusive));
    struct stat status{};
    if (!lock || ::fstat(lock->fd(), &status) != 0) continue;
    const Time used = from_micros(status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000);
    if (used >= used_before) continue;
    const std::string key = path.stem().string();
    SW_CHECK(os::remove_tree(directory_ / key));
    SW_CHECK(os::remove_tree(directory_ / (".building-" + key)));
    ::unlink((directory_ / (key + ".note")).c_str());
    ::unlink(path.c_str());  // last: who waits for it sees that its file is gone, and begins anew
    ++removed;
  }
  return removed;
}

}  // namespace slipway::source
