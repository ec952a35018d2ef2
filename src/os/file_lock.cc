#include "os/file_lock.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "os/files.h"
#include "os/wait.h"

namespace slipway::os {

Result<std::optional<FileLock>> FileLock::try_acquire(const std::filesystem::path& path, LockMode mode) {
  for (;;) {
    SW_TRY(Fd fd, open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (::flock(fd.get(), (mode == LockMode::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) return std::optional<FileLock>();
      return fail_errno(errno, "locking " + path.string());
    }
    // Its last holder may have removed the file between our open and our lock.
    struct stat ours{}, there{};
    if (::fstat(fd.get(), &ours) != 0) return fail_errno(errno, "fstat");
    if (::stat(path.c_str(), &there) != 0 || ours.st_ino != there.st_ino || ours.st_dev != there.st_dev) continue;
    return std::optional<FileLock>(FileLock(std::move(fd)));
  }
}

Result<FileLock> FileLock::acquire(const std::filesystem::path& path, LockMode mode, const CallLimit& limit) {
  constexpr auto kLook = std::chrono::milliseconds(5);
  Fd never;
  for (;;) {
    SW_TRY(auto lock, try_acquire(path, mode));
    if (lock) return std::move(*lock);
    // flock(2) cannot be woken by a stop token or a deadline, so we look again and again.
    if (!never) never = Fd(::eventfd(0, EFD_CLOEXEC));
    if (!never) return fail_errno(errno, "eventfd");
    if (Clock::now() >= limit.deadline) return fail(ErrorKind::timeout, "waiting for " + path.string());
    const auto waited = wait_readable(never.get(), {limit.stop, std::min(limit.deadline, Clock::now() + kLook)});
    if (!waited && waited.error().kind != ErrorKind::timeout) return wrap(waited.error(), "locking " + path.string());
  }
}

}  // namespace slipway::os
