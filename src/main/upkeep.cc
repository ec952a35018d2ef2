#include "main/upkeep.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "base/wall_clock.h"
#include "main/backends.h"
#include "os/file_lock.h"
#include "os/files.h"
#include "store/owner.h"

namespace slipway::program {

namespace {

using namespace std::chrono_literals;

constexpr auto kEvery = 24h;
constexpr auto kCheckoutUnusedFor = 14 * 24h;
constexpr auto kSweepLimit = 30s;  // for those who store an artifact at this moment
constexpr std::size_t kPage = 500;

// Of its files; links are not followed.
std::uint64_t bytes_below(const std::filesystem::path& directory) {
  std::uint64_t bytes = 0;
  std::error_code unreadable;
  for (std::filesystem::recursive_directory_iterator at(directory, unreadable), end; !unreadable && at != end;
       at.increment(unreadable)) {
    struct stat status{};
    if (::lstat(at->path().c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
  }
  return bytes;
}

// Empty: there is no such file.
std::optional<Time> modified_at(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return from_micros(status.st_mtim.tv_sec * 1'000'000);
}

// Takes today's turn: false where it was taken already, or somebody is at it.
Result<bool> take_turn(const std::filesystem::path& stamp, std::optional<os::FileLock>& held) {
  const auto is_due = [&] {
    const std::optional<Time> last = modified_at(stamp);
    return !last || *last < wall_now() - kEvery;
  };
  if (!is_due()) return false;
  const bool is_new = ::access(stamp.c_str(), F_OK) != 0;
  SW_TRY(held, os::FileLock::try_acquire(stamp, os::LockMode::exclusive));
  if (!held || (!is_new && !is_due())) return false;
  if (::futimens(held->fd(), nullptr) != 0) return fail_errno(errno, "touching " + stamp.string());
  return true;
}

// Files of concurrency groups (engine/shared_groups.h) that have been there for a day and that nobody is in.
Result<void> sweep_groups(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> locks;
  std::error_code unreadable;
  for (std::filesystem::directory_iterator at(directory, unreadable), end; !unreadable && at != end;
       at.increment(unreadable)) {
    if (at->path().extension() == ".lock") locks.push_back(at->path());
  }
  for (std::filesystem::path& path : locks) {
    const std::optional<Time> last = modified_at(path);
    if (!last || *last > wall_now() - kEvery) continue;
    SW_TRY(const auto alone, os::FileLock::try_acquire(path, os::LockMode::exclusive));
    if (!alone) continue;
    const std::filesystem::path lock = path;
    ::unlink(path.replace_extension(".newest").c_str());  // there may be none
    ::unlink(lock.c_str());  // last: who waits for it sees that its file is gone, and begins anew
  }
  return {};
}

Result<void> trim_history(store::Store& store, const std::filesystem::path& state_dir, std::uint64_t kept) {
  std::vector<RunId> old;
  std::map<std::string, bool> alive;
  std::uint64_t seen = 0;
  for (std::string cursor;;) {
    SW_TRY(const store::RunPage page, store.list_runs({}, kPage, cursor));
    for (const store::RunRow& run : page.runs) {
      if (++seen <= kept) continue;
      // A process that lives may still read what its ended runs wrote.
      const auto [at, is_new] = alive.try_emplace(run.owner, true);
      if (is_new) at->second = store::is_alive(state_dir, run.owner);
      if (!at->second) old.push_back(run.id);
    }
    if (!page.next) break;
    cursor = *page.next;
  }
  for (const RunId& run : old) SW_CHECK(remove_run(store, state_dir, run));
  return {};
}

Result<void> trim_images(const cli::Settings& settings) {
  std::error_code none;
  if (!std::filesystem::exists(settings.state_dir / "images", none)) return {};
  SW_TRY(const sandbox::rootfs::ImageStore images, open_images(settings));
  const auto pruned = images.prune(settings.image_bytes, os::within(0ms));
  // Somebody fetches one at this moment: who has fetched does the same.
  if (!pruned && pruned.error().kind != ErrorKind::timeout) return std::unexpected(pruned.error());
  return {};
}

}  // namespace

Result<std::uint64_t> remove_run(store::Store& store, const std::filesystem::path& state_dir, const RunId& run) {
  const std::filesystem::path directory = state_dir / "runs" / run.value;
  const std::uint64_t bytes = bytes_below(directory);
  SW_CHECK(os::remove_tree(directory));
  SW_CHECK(store.remove_run(run));
  return bytes;
}

Result<std::uint64_t> sweep_content(worker::Artifacts& artifacts) {
  SW_TRY(const worker::Artifacts::Swept swept, artifacts.sweep(wall_now(), os::within(kSweepLimit)));
  return swept.freed_bytes;
}

void keep_house(store::Store& store, worker::Artifacts& artifacts, const source::CheckoutStore& checkouts,
                const cli::Settings& settings, Log& log) {
  const std::filesystem::path& state_dir = settings.state_dir;
  std::optional<os::FileLock> turn;
  const auto done = [&]() -> Result<void> {
    SW_TRY(const bool ours, take_turn(state_dir / "upkeep.stamp", turn));
    if (!ours) return {};
    SW_CHECK(trim_history(store, state_dir, settings.history_runs));
    SW_CHECK(sweep_content(artifacts));
    SW_CHECK(sweep_groups(state_dir / "groups"));
    SW_CHECK(checkouts.sweep(wall_now() - kCheckoutUnusedFor));
    return trim_images(settings);
  }();
  if (!done) log.write(LogLevel::warn, "upkeep_failed", {{"error", done.error().what}});
}

}  // namespace slipway::program
