#include "objects/staged_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include <fmt/format.h>

#include "base/ids.h"
#include "os/files.h"

namespace slipway::objects {

namespace {

// A read lease is granted only where nobody has the file open for writing, a writable mapping included. It is taken
// for the question only.
bool has_writers(int reading_fd) {
  if (::fcntl(reading_fd, F_SETLEASE, F_RDLCK) != 0) return true;  // also where this file system knows no leases
  ::fcntl(reading_fd, F_SETLEASE, F_UNLCK);
  return false;
}

Result<void> copy(int from, int to, std::uint64_t bytes, const os::CallLimit& limit) {
  constexpr std::size_t kPart = 16U << 20U;
  off_t at = 0;
  while (std::cmp_less(at, bytes)) {
    if (limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "copying");
    if (os::Clock::now() > limit.deadline) return fail(ErrorKind::timeout, "copying");
    const auto left = bytes - static_cast<std::uint64_t>(at);
    const ssize_t got = ::copy_file_range(from, &at, to, nullptr, std::min<std::uint64_t>(left, kPart), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "copying");
    if (got == 0) break;  // its writer cut it: what was there is what there is
  }
  return {};
}

}  // namespace

Result<StagedFile> StagedFile::create(const std::filesystem::path& directory, std::uint64_t most_bytes) {
  for (;;) {
    std::filesystem::path path = directory / new_id();
    SW_TRY(os::Fd fd, os::open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600));
    // A sweep may see it before the lock and remove it; then the name is gone and we begin again.
    struct stat status{};
    if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0 && ::stat(path.c_str(), &status) == 0) {
      return StagedFile(std::move(path), std::move(fd), most_bytes);
    }
    ::unlink(path.c_str());
  }
}

StagedFile::StagedFile(StagedFile&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      fd_(std::move(other.fd_)),
      most_bytes_(other.most_bytes_),
      sync_(other.sync_) {}

StagedFile::~StagedFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

// Shared locks, so that the second descriptor holds one before the first lets go of its own.
Result<void> StagedFile::reopen_for_reading() {
  SW_TRY(os::Fd reading, os::open_file(path_, O_RDONLY));
  if (::flock(reading.get(), LOCK_SH | LOCK_NB) != 0) return fail_errno(errno, "locking " + path_.string());
  fd_ = std::move(reading);
  return {};
}

Result<os::Fd> StagedFile::close(Sync sync, const os::CallLimit& limit) {
  sync_ = sync;
  struct stat status{};
  if (::fstat(fd_.get(), &status) != 0) return fail_errno(errno, "fstat");
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  if (bytes > most_bytes_) return fail(ErrorKind::exhausted, fmt::format("larger than {} bytes", most_bytes_));

  SW_CHECK(reopen_for_reading());
  if (has_writers(fd_.get())) {
    SW_TRY(StagedFile own, create(path_.parent_path(), most_bytes_));
    SW_CHECK(copy(fd_.get(), own.fd_.get(), bytes, limit));
    SW_CHECK(own.reopen_for_reading());
    std::swap(path_, own.path_);
    std::swap(fd_, own.fd_);
  }
  if (::fchmod(fd_.get(), 0444) != 0) return fail_errno(errno, "fchmod");
  if (sync == Sync::always && ::fdatasync(fd_.get()) != 0) return fail_errno(errno, "syncing an object");
  return os::open_file(path_, O_RDONLY);
}

Result<void> StagedFile::publish(const std::filesystem::path& path) {
  if (::rename(path_.c_str(), path.c_str()) != 0) return fail_errno(errno, "publishing " + path.string());
  path_.clear();
  if (sync_ == Sync::never) return {};
  return os::sync_directory(path.parent_path());
}

Result<void> StagedFile::sweep(const std::filesystem::path& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()), ::closedir);
  if (dir == nullptr) return fail_errno(errno, "listing " + directory.string());
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] == '.') continue;
    const os::Fd fd(::openat(::dirfd(dir.get()), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;  // gone, or in use
    // Between our open and our lock its writer may have published it under another name: this one is gone then.
    ::unlinkat(::dirfd(dir.get()), entry->d_name, 0);
  }
  return {};
}

}  // namespace slipway::objects
