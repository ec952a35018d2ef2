#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>

#include <fmt/format.h>

#include "base/text.h"
#include "os/bundle.h"
#include "os/bundle_stream.h"
#include "os/fd.h"
#include "os/openat2.h"

namespace slipway::os {

namespace {

constexpr std::size_t kMaxDepth = 200;  // one descriptor is open a level
constexpr std::size_t kMaxRefused = 100;
constexpr std::size_t kCopyBytes = 256 * 1024;
constexpr std::uint64_t kEntryBytes = 28;  // of an entry beside its path and content

struct Pattern {
  std::string text;                     // relative to the root, no `.` parts
  std::vector<std::string_view> parts;  // of `text`
  bool negated = false;
  std::size_t literal = 0;  // leading parts without wildcards
};

bool has_wildcard(std::string_view part) { return part.find_first_of("*?[{") != std::string_view::npos; }

Result<Pattern> parse_pattern(std::string_view glob, bool root_is_slash) {
  Pattern pattern;
  const std::string shown = printable(glob, Colour::strip);
  if (glob.starts_with('!')) {
    pattern.negated = true;
    glob.remove_prefix(1);
  }
  if (glob.starts_with('/') && !root_is_slash) {
    return fail(ErrorKind::invalid, "the pattern `" + shown + "` is absolute");
  }
  std::vector<std::string> kept;
  for (const std::string_view part : split(glob, '/')) {
    if (part == "..") return fail(ErrorKind::invalid, "the pattern `" + shown + "` holds `..`");
    if (!part.empty() && part != ".") kept.emplace_back(part);
  }
  if (glob.empty() || glob.find('\0') != std::string_view::npos) {
    return fail(ErrorKind::invalid, "`" + shown + "` is no pattern");
  }
  pattern.text = join(kept, "/");
  return pattern;
}

// May something below the directory `parts` match?
bool may_match_below(const Pattern& pattern, const std::vector<std::string_view>& parts) {
  if (pattern.negated) return false;
  for (std::size_t i = 0; i < parts.size() && i < pattern.parts.size(); ++i) {
    const std::string_view part = pattern.parts[i];
    // These may match more parts of a path than the one they are.
    if (part.find("**") != std::string_view::npos || part.find_first_of("{}") != std::string_view::npos) return true;
    if (!glob_match(part, parts[i])) return false;
  }
  return pattern.parts.size() > parts.size();
}

class Packer {
 public:
  Packer(std::vector<Pattern> patterns, int out_fd, Links links, const BundleLimits& limits, IsSecret is_secret)
      : patterns_(std::move(patterns)),
        writer_(out_fd),
        links_(links),
        limits_(limits),
        is_secret_(std::move(is_secret)) {}

  Result<BundleReport> run(int root_fd) {
    SW_CHECK(writer_.begin());
    const bool all = std::ranges::any_of(patterns_, [](const Pattern& p) { return p.text.empty() && !p.negated; });
    const Fd root(::openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) return fail_errno(errno, "opening the directory to pack");
    SW_CHECK(directory(root.get(), "", all, 0));
    SW_CHECK(writer_.finish());
    return std::move(report_);
  }

  bool took_any() const { return entries_ > 0; }

 private:
  void refuse(const std::string& path, std::string_view why) {
    if (report_.refused.size() < kMaxRefused) {
      report_.refused.push_back(fmt::format("{}: {}", printable(path, Colour::strip), why));
    }
  }

  // The last pattern that matches `path` decides; without one, what holds for the directory it lies in.
  bool is_taken(const std::string& path, bool inherited) const {
    bool taken = inherited;
    for (const Pattern& pattern : patterns_) {
      if (!pattern.text.empty() && glob_match(pattern.text, path)) taken = !pattern.negated;
    }
    return taken;
  }

  bool leads_further(const std::string& path) const {
    const auto parts = split(path, '/');
    return std::ranges::any_of(patterns_, [&](const Pattern& p) { return may_match_below(p, parts); });
  }

  // A mount is entered only where a pattern names it in full; wildcards and trees end at its border.
  bool is_named(const std::string& path) const {
    return std::ranges::any_of(patterns_, [&](const Pattern& p) {
      return !p.negated && (p.text == path || p.text.starts_with(path + "/")) &&
             static_cast<std::size_t>(std::ranges::count(path, '/')) < p.literal;
    });
  }

  // The parts of `path` that the pattern's own words account for: links must stay below them.
  std::size_t depth_of_root(const std::string& path) const {
    std::size_t depth = 0;
    bool found = false;
    for (const Pattern& pattern : patterns_) {
      if (pattern.negated) continue;
      std::size_t common = 0;
      const auto parts = split(path, '/');
      while (common < pattern.literal && common < parts.size() - 1 && pattern.parts[common] == parts[common]) ++common;
      const bool whole = common == pattern.literal || common == parts.size() - 1;
      if (whole && (!found || common < depth)) {
        depth = common;
        found = true;
      }
    }
    return depth;
  }

  Result<void> count(const std::string& path, std::uint64_t bytes) {
    if (entries_ >= limits_.files) return fail(ErrorKind::exhausted, fmt::format("more than {} files", limits_.files));
    const std::uint64_t stored = kEntryBytes + path.size();
    if (stored_ + stored > limits_.bytes || bytes > limits_.bytes - stored_ - stored) {
      return fail(ErrorKind::exhausted, fmt::format("more than {} bytes", limits_.bytes));
    }
    ++entries_;
    stored_ += stored + bytes;
    report_.bytes += bytes;
    return {};
  }

  Result<void> directory(int fd, const std::string& path, bool taken, std::size_t depth);
  Result<void> child(int parent, const std::string& name, unsigned char type, const std::string& path, bool inherited,
                     std::size_t depth);
  Result<void> file(int fd, const struct stat& status, const std::string& path);
  Result<void> link(int parent, const std::string& name, const std::string& path);

  std::vector<Pattern> patterns_;
  EntryWriter writer_;
  Links links_;
  BundleLimits limits_;
  IsSecret is_secret_;
  BundleReport report_;
  std::uint64_t entries_ = 0;  // directories too
  std::uint64_t stored_ = 0;   // their bytes in the bundle
  std::unique_ptr<char[]> copy_ = std::make_unique_for_overwrite<char[]>(kCopyBytes);
};

struct Listed {
  std::string name;
  unsigned char type = DT_UNKNOWN;
};

// Everything in the directory, in the order of bytes.
Result<std::vector<Listed>> list_directory(int fd, std::uint64_t most) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return fail_errno(errno, "listing a directory");
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(copy), ::closedir);
  if (dir == nullptr) {
    ::close(copy);
    return fail_errno(errno, "listing a directory");
  }
  std::vector<Listed> listed;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (listed.size() >= most) return fail(ErrorKind::exhausted, fmt::format("more than {} files", most));
    listed.push_back({std::string(name), entry->d_type});
  }
  std::ranges::sort(listed, {}, &Listed::name);
  return listed;
}

// `name` in `parent` without following a link. EXDEV: it is a mount.
Fd open_child(int parent, const std::string& name, bool cross_mounts) {
  return open_held(parent, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW,
                   cross_mounts ? kBeneath & ~std::uint64_t{RESOLVE_NO_XDEV} : kBeneath);
}

Result<void> Packer::directory(int fd, const std::string& path, bool taken, std::size_t depth) {
  SW_TRY(const auto listed, list_directory(fd, limits_.files));
  for (const Listed& entry : listed) {
    const std::string inner = path.empty() ? entry.name : path + "/" + entry.name;
    if (inner.size() >= PATH_MAX) {
      refuse(inner.substr(0, 200) + "...", "the path is too long");
      continue;
    }
    SW_CHECK(child(fd, entry.name, entry.type, inner, taken, depth));
  }
  return {};
}

Result<void> Packer::child(int parent, const std::string& name, unsigned char type, const std::string& path,
                           bool inherited, std::size_t depth) {
  const bool taken = is_taken(path, inherited);
  const bool maybe_directory = type == DT_DIR || type == DT_UNKNOWN;
  if (!taken && (!maybe_directory || !leads_further(path))) return {};
  if (is_secret_ && is_secret_(path)) {
    refuse(path, "its name holds a secret");
    return {};
  }
  if (type == DT_LNK) return link(parent, name, path);
  if (type != DT_REG && !maybe_directory) {  // not opened: opening a device may do something
    refuse(path, "not a regular file");
    return {};
  }
  const Fd fd = open_child(parent, name, is_named(path));
  if (!fd) {
    // What the listing said may be stale by now: the job may still be writing, or trying to fool us.
    if (errno == ELOOP && type == DT_UNKNOWN) return link(parent, name, path);
    if (taken) refuse(path, errno == EXDEV ? "another file system is mounted there" : ::strerrordesc_np(errno));
    return {};
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "fstat");
  if (S_ISREG(status.st_mode)) return taken ? file(fd.get(), status, path) : Result<void>();
  if (!S_ISDIR(status.st_mode)) {
    if (taken) refuse(path, "not a regular file");
    return {};
  }
  if (depth + 1 >= kMaxDepth) {
    if (taken) refuse(path, fmt::format("nested deeper than {} directories", kMaxDepth));
    return {};
  }
  if (taken) {
    SW_CHECK(count(path, 0));
    SW_CHECK(writer_.open_entry({.kind = EntryHeader::Kind::directory,
                                 .mode = static_cast<std::uint16_t>(status.st_mode & 0777U),
                                 .path = path}));
    SW_CHECK(writer_.close_entry());
  }
  return directory(fd.get(), path, taken, depth + 1);
}

Result<void> Packer::file(int fd, const struct stat& status, const std::string& path) {
  const auto size = static_cast<std::uint64_t>(status.st_size);
  SW_CHECK(count(path, size));
  ++report_.files;
  const std::int64_t mtime = status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000;
  SW_CHECK(writer_.open_entry({.kind = EntryHeader::Kind::file,
                               .mode = static_cast<std::uint16_t>(status.st_mode & 0777U),
                               .size = size,
                               .mtime_micros = mtime,
                               .path = path}));
  for (std::uint64_t left = size; left > 0;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, kCopyBytes));
    ssize_t got = ::read(fd, copy_.get(), want);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading " + printable(path, Colour::strip));
    if (got == 0) {  // it shrank; the size is already written
      refuse(path, "it shrank while it was read: the end is zeros");
      std::fill_n(copy_.get(), want, '\0');
      got = static_cast<ssize_t>(want);
    }
    SW_CHECK(writer_.content({copy_.get(), static_cast<std::size_t>(got)}));
    left -= static_cast<std::uint64_t>(got);
  }
  return writer_.close_entry();
}

Result<void> Packer::link(int parent, const std::string& name, const std::string& path) {
  if (links_ == Links::refuse) {
    refuse(path, "a link");
    return {};
  }
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(parent, name.c_str(), target, sizeof target);
  if (size <= 0 || size >= PATH_MAX) {
    refuse(path, "a link that cannot be read");
    return {};
  }
  const std::string_view text(target, static_cast<std::size_t>(size));
  if (links_ == Links::inside && !stays_inside(path, text, depth_of_root(path))) {
    refuse(path, "a link that leaves: " + printable(text, Colour::strip));
    return {};
  }
  SW_CHECK(count(path, text.size()));
  ++report_.files;
  SW_CHECK(writer_.open_entry(
      {.kind = EntryHeader::Kind::link, .mode = 0777, .size = text.size(), .mtime_micros = 0, .path = path}));
  SW_CHECK(writer_.content(text));
  return writer_.close_entry();
}

bool is_slash(int fd) {
  struct stat root{}, given{};
  return ::stat("/", &root) == 0 && ::fstat(fd, &given) == 0 && root.st_dev == given.st_dev &&
         root.st_ino == given.st_ino;
}

}  // namespace

Result<BundleReport> pack(int root_fd, const std::vector<std::string>& globs, int out_fd, Links links,
                          const BundleLimits& limits, IsSecret is_secret) {
  const bool root_is_slash = is_slash(root_fd);
  std::vector<Pattern> patterns;
  for (const std::string& glob : globs) {
    SW_TRY(Pattern pattern, parse_pattern(glob, root_is_slash));
    patterns.push_back(std::move(pattern));
  }
  for (Pattern& pattern : patterns) {  // now that the texts stay where they are
    if (!pattern.text.empty()) pattern.parts = split(pattern.text, '/');
    while (pattern.literal < pattern.parts.size() && !has_wildcard(pattern.parts[pattern.literal])) ++pattern.literal;
  }
  Packer packer(std::move(patterns), out_fd, links, limits, std::move(is_secret));
  SW_TRY(BundleReport report, packer.run(root_fd));
  if (packer.took_any()) return report;
  std::string why = "nothing matched " + printable(join(globs, ", "), Colour::strip);
  if (!report.refused.empty()) why += "; not taken: " + report.refused.front();
  return fail(ErrorKind::not_found, std::move(why));
}

}  // namespace slipway::os
