#include "unpack/tree_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/text.h"
#include "os/openat2.h"

namespace slipway::unpack {

namespace {

constexpr std::size_t kLongestPath = 4096, kDeepest = 200;
constexpr std::uint32_t kRunnerId = 1001, kMostId = 65'535;  // of sandbox/native
constexpr std::string_view kWhiteout = ".wh.", kOpaque = ".wh..wh..opq", kReserved = ".wh..wh.";

// For messages: nothing that a terminal would obey.
std::string shown(std::string_view name) {
  std::string text;
  for (const char c : name.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return "`" + text + "`";
}

std::unexpected<Error> refuse(std::string_view name, std::string_view why) {
  return fail(ErrorKind::invalid, fmt::format("{}: {}", shown(name), why));
}

Result<os::Fd> open_beneath(int root, const std::string& path, int flags) {
  os::Fd fd = os::open_held(root, path.c_str(), flags, os::kBeneath);
  if (fd) return fd;
  if (errno == ELOOP || errno == EXDEV) return refuse(path, "leads through a link");
  return fail_errno(errno, shown(path));
}

// Does a link at `path` with this text stay in the tree, by its words alone?
bool stays_inside(const std::string& path, std::string_view target) {
  if (target.starts_with('/')) return false;
  long depth = std::count(path.begin(), path.end(), '/');
  for (const std::string_view part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    depth += part == ".." ? -1 : 1;
    if (depth < 0) return false;
  }
  return true;
}

}  // namespace

std::uint32_t TreeWriter::owner_of(std::uint32_t inside) const {
  if (policy_.owners != Owners::range) return policy_.owners == Owners::as_written ? inside : 0;
  if (inside == kRunnerId) return 0;
  return inside < kRunnerId ? inside + 1 : inside;
}

// Relative, without `.` and empty parts, `strip` applied; empty: nothing is left of it.
Result<std::string> TreeWriter::clean(std::string_view name) const {
  if (name.empty()) return refuse(name, "has no name");
  // In a layer `/x` is the image's own, as builders write and docker reads it.
  if (name.front() == '/' && !layer()) return refuse(name, "is absolute");
  if (name.size() > kLongestPath) return refuse(name, "has too long a name");
  std::string path;
  std::size_t depth = 0;
  for (const std::string_view part : split(name, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return refuse(name, "leads out of the archive");
    if (++depth <= policy_.strip) continue;
    path += (path.empty() ? "" : "/") + std::string(part);
  }
  if (depth > kDeepest) return refuse(name, "is nested too deeply");
  return path;
}

Result<os::Fd> TreeWriter::open_directory(const std::string& path) const {
  return open_beneath(root_.get(), path, O_RDONLY | O_DIRECTORY);
}

Result<os::Fd> TreeWriter::open_or_make_parents(const std::string& path) {
  if (auto there = open_directory(path)) return there;
  SW_TRY(os::Fd at, open_directory(""));
  std::string so_far;
  for (const std::string_view part : split(path, '/')) {
    const std::string name(part);
    so_far += (so_far.empty() ? "" : "/") + name;
    struct stat status{};
    const bool is_whiteout =
        ::fstatat(at.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode) && layer();
    if (is_whiteout && ::unlinkat(at.get(), name.c_str(), 0) != 0) return fail_errno(errno, shown(so_far));
    if (::mkdirat(at.get(), name.c_str(), 0755) == 0) {
      if (is_whiteout) SW_CHECK(make_opaque(so_far));
      const std::uint32_t root = owner_of(0);
      if (::fchownat(at.get(), name.c_str(), root, root, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail_errno(errno, shown(so_far));
      }
    } else if (errno != EEXIST) {
      return fail_errno(errno, shown(so_far));
    }
    SW_TRY(at, open_beneath(at.get(), name, O_RDONLY | O_DIRECTORY));
  }
  return at;
}

Result<TreeWriter::Place> TreeWriter::place_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash);
  if (!parent_ || parent != parent_path_) {
    SW_TRY(parent_, open_or_make_parents(parent));
    parent_path_ = parent;
  }
  Place place;
  place.parent = os::Fd(::fcntl(parent_.get(), F_DUPFD_CLOEXEC, 3));
  if (!place.parent) return fail_errno(errno, "copying a descriptor");
  place.last = slash == std::string::npos ? path : path.substr(slash + 1);
  place.path = path;
  return place;
}

// What bears the name already goes: the later one holds.
Result<void> TreeWriter::make_way(const Place& place) const {
  if (::unlinkat(place.parent.get(), place.last.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno == EISDIR && ::unlinkat(place.parent.get(), place.last.c_str(), AT_REMOVEDIR) == 0) return {};
  if (errno == ENOTEMPTY || errno == EEXIST) return refuse(place.path, "is a directory with files in it as well");
  return fail_errno(errno, shown(place.path));
}

Result<os::Fd> TreeWriter::make(const Entry& entry) {
  if (++entries_ > policy_.most_entries) {
    return fail(ErrorKind::exhausted, fmt::format("more than {} entries", policy_.most_entries));
  }
  SW_TRY(const std::string path, clean(entry.name));
  if (entry.user > kMostId || entry.group > kMostId) {
    if (layer()) return refuse(entry.name, "belongs to an id above 65535");
  }
  if (path.empty()) {  // the top itself, or stripped away
    if (entry.kind == Entry::Kind::directory && layer() && policy_.strip == 0) {
      SW_TRY(const os::Fd top, open_directory(""));
      SW_CHECK(give(top.get(), entry));
      directories_.push_back({"", entry.mode, entry.seconds, entry.nanoseconds});
    }
    return os::Fd();
  }
  SW_TRY(const Place place, place_of(path));
  if (layer() && place.last.starts_with(kWhiteout)) {
    if (place.last == kOpaque) {
      SW_CHECK(make_opaque(parent_path_));
    } else if (!place.last.starts_with(kReserved)) {
      SW_CHECK(make_whiteout(place, std::string_view(place.last).substr(kWhiteout.size())));
    }
    return os::Fd();
  }
  switch (entry.kind) {
    case Entry::Kind::file: return make_file(place);
    case Entry::Kind::directory: SW_CHECK(make_directory(place, entry)); return os::Fd();
    case Entry::Kind::symlink: SW_CHECK(make_symlink(place, entry)); return os::Fd();
    case Entry::Kind::hardlink: SW_CHECK(make_hardlink(place, entry)); return os::Fd();
    case Entry::Kind::fifo:
      if (!layer()) return refuse(entry.name, "is a FIFO");
      SW_CHECK(make_way(place));
      if (::mknodat(place.parent.get(), place.last.c_str(), S_IFIFO | (entry.mode & 0777U), 0) != 0 ||
          ::fchownat(place.parent.get(), place.last.c_str(), owner_of(entry.user), owner_of(entry.group),
                     AT_SYMLINK_NOFOLLOW) != 0) {
        return fail_errno(errno, shown(path));
      }
      return os::Fd();
    case Entry::Kind::device:
    case Entry::Kind::other: break;
  }
  if (!layer()) return refuse(entry.name, "is a device or a socket");
  ++left_out_;
  return os::Fd();
}

Result<void> TreeWriter::make_whiteout(const Place& place, std::string_view hidden) {
  if (hidden.empty() || hidden == "." || hidden == "..") return refuse(place.path, "is a whiteout of nothing");
  const std::string name(hidden);
  if (::mknodat(place.parent.get(), name.c_str(), S_IFCHR, ::makedev(0, 0)) == 0) return {};
  if (errno != EEXIST) return fail_errno(errno, shown(place.path));
  // Hidden is what lies below; what this layer has there itself stays.
  struct stat status{};
  if (::fstatat(place.parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_errno(errno, shown(place.path));
  }
  if (!S_ISDIR(status.st_mode)) return {};
  return make_opaque((parent_path_.empty() ? "" : parent_path_ + "/") + name);
}

Result<void> TreeWriter::make_opaque(const std::string& path) {
  if (policy_.mark_opaque) {
    SW_TRY(const os::Fd fd, open_directory(path));
    if (::fsetxattr(fd.get(), "user.overlay.opaque", "y", 1, 0) != 0) return fail_errno(errno, shown(path));
  }
  opaque_.push_back(path);
  return {};
}

Result<void> TreeWriter::make_directory(const Place& place, const Entry& entry) {
  struct stat status{};
  const bool there = ::fstatat(place.parent.get(), place.last.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  const bool was_whiteout = there && layer() && S_ISCHR(status.st_mode);
  if (!there || !S_ISDIR(status.st_mode)) {
    if (there) SW_CHECK(make_way(place));
    if (::mkdirat(place.parent.get(), place.last.c_str(), 0700) != 0) return fail_errno(errno, shown(place.path));
    if (was_whiteout) SW_CHECK(make_opaque(place.path));
  }
  SW_TRY(const os::Fd fd, open_beneath(place.parent.get(), place.last, O_RDONLY | O_DIRECTORY));
  SW_CHECK(give(fd.get(), entry));
  directories_.push_back({place.path, entry.mode, entry.seconds, entry.nanoseconds});
  return {};
}

Result<void> TreeWriter::make_symlink(const Place& place, const Entry& entry) {
  if (entry.link.empty() || entry.link.size() >= kLongestPath) return refuse(entry.name, "is a link without a target");
  if (!layer() && !stays_inside(place.path, entry.link)) return refuse(entry.name, "links out of the archive");
  SW_CHECK(make_way(place));
  if (::symlinkat(entry.link.c_str(), place.parent.get(), place.last.c_str()) != 0 ||
      ::fchownat(place.parent.get(), place.last.c_str(), owner_of(entry.user), owner_of(entry.group),
                 AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_errno(errno, shown(place.path));
  }
  const timespec times[2] = {{entry.seconds, entry.nanoseconds}, {entry.seconds, entry.nanoseconds}};
  if (::utimensat(place.parent.get(), place.last.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_errno(errno, shown(place.path));
  }
  return {};
}

Result<void> TreeWriter::make_hardlink(const Place& place, const Entry& entry) {
  SW_TRY(const std::string target, clean(entry.link));
  if (target.empty()) return refuse(entry.name, "is a hard link to nothing");
  if (target == place.path) return {};
  const std::size_t slash = target.rfind('/');
  SW_TRY(const os::Fd parent, open_directory(slash == std::string::npos ? "" : target.substr(0, slash)));
  const std::string last = slash == std::string::npos ? target : target.substr(slash + 1);
  struct stat status{};
  if (::fstatat(parent.get(), last.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(status.st_mode) ||
      S_ISCHR(status.st_mode)) {
    return refuse(entry.name, "is a hard link to what the archive does not have");
  }
  SW_CHECK(make_way(place));
  if (::linkat(parent.get(), last.c_str(), place.parent.get(), place.last.c_str(), 0) != 0) {  // follows no link
    return fail_errno(errno, shown(place.path));
  }
  return {};
}

Result<os::Fd> TreeWriter::make_file(const Place& place) {
  SW_CHECK(make_way(place));
  os::Fd fd(
      ::openat(place.parent.get(), place.last.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail_errno(errno, shown(place.path));
  return fd;
}

Result<void> TreeWriter::write(int file, std::string_view bytes, std::uint64_t offset) {
  bytes_ += bytes.size();
  if (bytes_ > policy_.most_bytes || offset > policy_.most_bytes) {
    return fail(ErrorKind::exhausted, fmt::format("more than {} MiB of files", policy_.most_bytes >> 20U));
  }
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_errno(errno, "writing a file");
    bytes.remove_prefix(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
  return {};
}

// Owner first: a change of owner clears the set-uid bit and the capabilities.
Result<void> TreeWriter::give(int fd, const Entry& entry) const {
  if (::fchown(fd, owner_of(entry.user), owner_of(entry.group)) != 0) return fail_errno(errno, shown(entry.name));
  if (!layer()) return {};
  for (const auto& [name, value] : entry.attributes) {
    const bool kept =
        name == "security.capability" || (name.starts_with("user.") && !name.starts_with("user.overlay."));
    // What this file system or this user cannot hold is not part of what a job needs.
    if (kept && ::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0 && errno != EOPNOTSUPP &&
        errno != EPERM && errno != ENOSPC && errno != ERANGE && errno != EINVAL) {
      return fail_errno(errno, shown(entry.name));
    }
  }
  return {};
}

Result<void> TreeWriter::finish(int file, const Entry& entry) {
  SW_CHECK(give(file, entry));
  const mode_t mode = entry.mode & (layer() ? 07777U : 0777U);
  const timespec times[2] = {{entry.seconds, entry.nanoseconds}, {entry.seconds, entry.nanoseconds}};
  if (::fchmod(file, mode) != 0 || ::futimens(file, times) != 0) return fail_errno(errno, shown(entry.name));
  return {};
}

Result<void> TreeWriter::close() {
  for (auto one = directories_.rbegin(); one != directories_.rend(); ++one) {
    const auto fd = open_directory(one->path);
    if (!fd) continue;  // a later entry of its name has taken its place
    // Source stays one that its owner can change and remove.
    const mode_t mode = layer() ? one->mode & 07777U : (one->mode & 0777U) | 0700U;
    const timespec times[2] = {{one->seconds, one->nanoseconds}, {one->seconds, one->nanoseconds}};
    if (::fchmod(fd->get(), mode) != 0 || ::futimens(fd->get(), times) != 0) return fail_errno(errno, shown(one->path));
  }
  return {};
}

}  // namespace slipway::unpack
