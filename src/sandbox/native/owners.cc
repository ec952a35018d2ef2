#include "sandbox/native/owners.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/scope_exit.h"
#include "os/fd.h"

namespace slipway::sandbox::native {

namespace {

constexpr std::uint64_t kMostFiles = 1'000'000;  // some 25 s
constexpr int kMaxDepth = 512;                   // a descriptor each

class Giver {
 public:
  explicit Giver(const Owners& owners) : owners_(owners) {}

  // `directory` is taken over.
  Result<void> give_contents(os::Fd directory, int depth) {
    if (depth > kMaxDepth) return fail(ErrorKind::exhausted, "its directories are nested too deeply");
    const int raw = directory.get();
    DIR* entries = ::fdopendir(raw);
    if (entries == nullptr) return fail_errno(errno, "fdopendir");
    (void)directory.release();  // closed with `entries`
    const ScopeExit close([&] { ::closedir(entries); });
    while (const dirent* entry = ::readdir(entries)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++files_ > kMostFiles) return fail(ErrorKind::exhausted, "it holds more than a million files");
      struct stat status{};
      if (::fstatat(raw, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;  // removed meanwhile
        return fail_errno(errno, std::string(name));
      }
      SW_CHECK(give(raw, entry->d_name, status));
      if (!S_ISDIR(status.st_mode)) continue;
      os::Fd child(::openat(raw, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!child) return fail_errno(errno, "opening " + std::string(name));
      SW_CHECK(give_contents(std::move(child), depth + 1));
    }
    return {};
  }

 private:
  Result<void> give(int directory, const char* name, const struct stat& status) const {
    const std::uint32_t user = owners_.user(status.st_uid), group = owners_.group(status.st_gid);
    if (user == status.st_uid && group == status.st_gid) return {};
    if (::fchownat(directory, name, user, group, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT) return {};
    return fail_errno(errno, std::string("giving ") + name + " to its owner");
  }

  const Owners& owners_;
  std::uint64_t files_ = 0;
};

}  // namespace

Result<void> give_to_owners(int root, const Owners& owners) {
  // The top is the layer's own directory, which has its owner already.
  os::Fd top(::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top) return fail_errno(errno, "opening an overlay");
  return Giver(owners).give_contents(std::move(top), 0);
}

}  // namespace slipway::sandbox::native
