#include "os/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "base/ids.h"
#include "base/scope_exit.h"
#include "os/openat2.h"

namespace slipway::os {

Result<Fd> open_file(const std::filesystem::path& path, int flags, mode_t mode) {
  for (;;) {
    Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
    if (fd) return fd;
    if (errno != EINTR) return fail_errno(errno, "opening " + path.string());
  }
}

Result<std::string> read_all(int fd, std::size_t most_bytes) {
  std::string text;
  std::size_t used = 0;
  for (;;) {
    if (used == text.size()) text.resize(std::max<std::size_t>(4096, text.size() * 2));
    const ssize_t got = ::read(fd, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading");
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > most_bytes) return fail(ErrorKind::exhausted, fmt::format("longer than {} bytes", most_bytes));
  }
  text.resize(used);
  return text;
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t most_bytes) {
  SW_TRY(const Fd fd, open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "looking at " + path.string());
  if (!S_ISREG(status.st_mode)) return fail(ErrorKind::invalid, path.string() + " is not a regular file");
  auto text = read_all(fd.get(), most_bytes);
  if (!text) return wrap(text.error(), path.string());
  return text;
}

Result<std::string> read_stream(const std::filesystem::path& path, std::size_t most_bytes) {
  SW_TRY(const Fd fd, open_file(path, O_RDONLY));
  auto text = read_all(fd.get(), most_bytes);
  if (!text) return wrap(text.error(), path.string());
  return text;
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "writing");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> replace_file(const std::filesystem::path& path, std::string_view bytes, mode_t mode) {
  const std::filesystem::path beside = path.parent_path() / fmt::format(".{}.{}", path.filename().string(), new_id());
  ScopeExit undo([&] { ::unlink(beside.c_str()); });
  {
    SW_TRY(const Fd fd, open_file(beside, O_WRONLY | O_CREAT | O_EXCL, mode));
    SW_CHECK(write_all(fd.get(), bytes));
    if (::fsync(fd.get()) != 0) return fail_errno(errno, "syncing " + beside.string());
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return fail_errno(errno, "replacing " + path.string());
  undo.release();
  return {};
}

Result<std::vector<std::string>> list_directory(const std::filesystem::path& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
  if (dir == nullptr) return fail_errno(errno, "listing " + path.string());
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr && errno != 0) return fail_errno(errno, "listing " + path.string());
    if (entry == nullptr) return names;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() == kMaxListed) return fail(ErrorKind::exhausted, path.string() + " has too many entries");
    names.emplace_back(name);
  }
}

Result<void> sync_directory(const std::filesystem::path& path) {
  SW_TRY(const Fd directory, open_file(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return fail_errno(errno, "syncing " + path.string());
  return {};
}

Result<void> make_directories(const std::filesystem::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT) return fail_errno(errno, "creating " + path.string());
  SW_CHECK(make_directories(path.parent_path(), 0755));
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return fail_errno(errno, "creating " + path.string());
}

namespace {

constexpr int kMaxDepth = 512;

// Removes what is in the directory behind `fd` (taken over). `device`: the file system that the tree began on.
Result<void> remove_contents(Fd fd, dev_t device, int depth) {
  if (depth > kMaxDepth) return fail(ErrorKind::exhausted, "a tree is nested too deeply to remove");
  const int raw = fd.get();
  DIR* dir = ::fdopendir(fd.release());
  if (dir == nullptr) return fail_errno(errno, "fdopendir");
  const ScopeExit close([&] { ::closedir(dir); });
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::unlinkat(raw, entry->d_name, 0) == 0) continue;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) {
      return fail_errno(errno, "removing " + std::string(name));
    }
    Fd child(::openat(raw, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child && errno == EACCES) {                  // a directory without permissions, left by a job
      (void)::fchmodat(raw, entry->d_name, 0700, 0);  // a failure shows in the next openat
      child = Fd(::openat(raw, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    }
    if (!child) return fail_errno(errno, "opening " + std::string(name));
    struct stat status{};
    if (::fstat(child.get(), &status) != 0) return fail_errno(errno, "fstat");
    if (status.st_dev != device) return fail(ErrorKind::conflict, std::string(name) + " is a mount point");
    (void)::fchmod(child.get(), 0700);  // a failure shows when its entries are removed
    SW_CHECK(remove_contents(std::move(child), device, depth + 1));
    if (::unlinkat(raw, entry->d_name, AT_REMOVEDIR) != 0) {
      return fail_errno(errno, "removing " + std::string(name));
    }
  }
  return {};
}

}  // namespace

Result<void> remove_tree(const std::filesystem::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return {};
    if (::unlink(path.c_str()) == 0) return {};
    return fail_errno(errno, "removing " + path.string());
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "fstat");
  if (auto removed = remove_contents(std::move(fd), status.st_dev, 0); !removed) {
    return wrap(removed.error(), "removing " + path.string());
  }
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "removing " + path.string());
  return {};
}

Result<Fd> open_untrusted(int directory_fd, const std::string& path) {
  Fd fd = open_held(directory_fd, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW, kBeneath);
  if (!fd) return fail_errno(errno, "opening " + path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "fstat");
  if (!S_ISREG(status.st_mode)) return fail(ErrorKind::denied, path + " is not a regular file");
  return fd;
}

int open_job_directory(const char* path, int more_flags) {
  return open_held(AT_FDCWD, path, O_PATH | O_DIRECTORY | more_flags, RESOLVE_NO_MAGICLINKS).release();
}

void close_all_but(std::span<int> kept) {
  std::ranges::sort(kept);
  unsigned next = 3;
  for (const int fd : kept) {
    if (fd < static_cast<int>(next)) continue;
    const auto number = static_cast<unsigned>(fd);
    if (number > next) ::close_range(next, number - 1, 0);
    next = number + 1;
  }
  ::close_range(next, ~0U, 0);
}

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe2");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<SocketPair> make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno(errno, "socketpair");
  return SocketPair{Fd(ends[0]), Fd(ends[1])};
}

}  // namespace slipway::os
