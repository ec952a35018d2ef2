#include "source/snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <sodium.h>

#include "base/text.h"
#include "os/files.h"
#include "source/git_command.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 1'000'000;
constexpr std::size_t kMostDepth = 200;
constexpr auto kMostTime = std::chrono::seconds(30);

bool has_wildcard(std::string_view pattern) { return pattern.find_first_of("*?[{") != std::string_view::npos; }

// One pattern without `./` and a closing `/`; `!` in front stays.
Result<std::string> normalised(std::string_view pattern) {
  const bool negated = pattern.starts_with('!');
  std::vector<std::string> kept;
  const std::string_view path = pattern.substr(negated ? 1 : 0);
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string_view::npos) {
    return fail(ErrorKind::invalid, "`" + printable(pattern, Colour::strip) + "` is no path below the source");
  }
  for (const std::string_view part : split(path, '/')) {
    if (part == "..") return fail(ErrorKind::invalid, "`" + printable(pattern, Colour::strip) + "` holds `..`");
    if (!part.empty() && part != ".") kept.emplace_back(part);
  }
  return (negated ? "!" : "") + (kept.empty() ? "**" : join(kept, "/"));
}

// A name without wildcards stands for a file, and for all below a directory of that name.
Result<std::vector<std::string>> filters_of(const std::vector<std::string>& patterns) {
  std::vector<std::string> filters;
  for (const std::string& pattern : patterns) {
    SW_TRY(std::string filter, normalised(pattern));
    const bool literal = !has_wildcard(filter);
    filters.push_back(filter);
    if (literal) filters.push_back(filter + "/**");
  }
  return filters;
}

// Adds the files and links below `path`; what cannot be read is an error: a digest over a part would be a wrong one.
Result<void> walk(int parent, const std::string& name, const std::string& path, std::size_t depth,
                  std::vector<std::string>& files) {
  if (depth > kMostDepth) return fail(ErrorKind::exhausted, "nested too deeply: " + path.substr(0, 200));
  os::Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "opening " + path);
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd.release()), ::closedir);
  if (dir == nullptr) return fail_errno(errno, "listing " + path);
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string child = entry->d_name;
    if (child == "." || child == ".." || child == ".git") continue;
    const std::string inner = path.empty() ? child : path + "/" + child;
    struct stat status{};
    if (::fstatat(::dirfd(dir.get()), child.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // just removed
    if (S_ISDIR(status.st_mode)) {
      SW_CHECK(walk(::dirfd(dir.get()), child, inner, depth + 1, files));
    } else if (S_ISREG(status.st_mode) || S_ISLNK(status.st_mode)) {
      if (files.size() >= kMostFiles) return fail(ErrorKind::exhausted, "too many files to look at");
      files.push_back(inner);
    }
  }
  return {};
}

class Hasher {
 public:
  Hasher() { crypto_generichash_init(&state_, nullptr, 0, kBytes); }
  void add(std::string_view bytes) {
    crypto_generichash_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  }
  /// With its length in front, so that what follows cannot be mistaken for a part of it.
  void add_framed(std::string_view bytes) {
    add(fmt::format("{}:", bytes.size()));
    add(bytes);
  }
  std::string finish() {
    unsigned char digest[kBytes];
    crypto_generichash_final(&state_, digest, sizeof digest);
    char hex[2 * kBytes + 1];
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    return hex;
  }

 private:
  static constexpr std::size_t kBytes = 32;
  crypto_generichash_state state_;
};

// False: it is not (any more) a file or link.
Result<bool> hash_file(int root, const std::string& path, Hasher& whole, const os::CallLimit& limit) {
  struct stat status{};
  if (::fstatat(root, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (S_ISLNK(status.st_mode)) {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(root, path.c_str(), target, sizeof target);
    if (size < 0) return fail_errno(errno, "reading the link " + path);
    whole.add_framed(path);
    whole.add("link");
    whole.add_framed({target, static_cast<std::size_t>(size)});
    return true;
  }
  if (!S_ISREG(status.st_mode)) return false;
  SW_TRY(const os::Fd fd, os::open_untrusted(root, path));
  Hasher content;
  const auto chunk = std::make_unique_for_overwrite<char[]>(64 * 1024);
  for (;;) {
    if (limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "hash()");
    if (os::Clock::now() > limit.deadline) return fail(ErrorKind::timeout, "hash() takes too long");
    const ssize_t got = ::read(fd.get(), chunk.get(), 64 * 1024);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading " + path);
    if (got == 0) break;
    content.add({chunk.get(), static_cast<std::size_t>(got)});
  }
  whole.add_framed(path);
  whole.add("file");
  whole.add_framed(content.finish());
  return true;
}

}  // namespace

os::CallLimit Snapshot::question() const {
  return {limit_.stop, std::min(limit_.deadline, os::Clock::now() + kMostTime)};
}

const Result<std::vector<std::string>>& Snapshot::files() const {
  std::call_once(files_once_, [this] {
    files_ = [this]() -> Result<std::vector<std::string>> {
      if (is_git_) {
        const auto listed = run_git({.directory = root_,
                                     .arguments = {"ls-files", "-z", "--cached", "--others", "--exclude-standard"},
                                     .environment = {}},
                                    question());
        if (listed) return split_nul(*listed);
        // Any other failure over the same files must not give another digest.
        if (listed.error().kind != ErrorKind::unavailable) return std::unexpected(listed.error());
      }
      // Without git (not installed, or no checkout), the files are what there is.
      SW_TRY(const os::Fd root, os::open_file(root_, O_RDONLY | O_DIRECTORY));
      std::vector<std::string> found;
      SW_CHECK(walk(root.get(), ".", "", 0, found));
      return found;
    }();
  });
  return files_;
}

Result<std::vector<std::string>> Snapshot::matching(const std::vector<std::string>& patterns) const {
  SW_TRY(const auto filters, filters_of(patterns));
  std::vector<std::string> candidates;
  SW_TRY(const os::Fd root, os::open_file(root_, O_RDONLY | O_DIRECTORY));
  bool need_all = false;
  for (const std::string& filter : filters) {
    if (filter.starts_with('!') || filter.ends_with("/**")) continue;
    struct stat status{};
    if (has_wildcard(filter)) {
      need_all = true;
    } else if (::fstatat(root.get(), filter.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
      if (S_ISDIR(status.st_mode)) {
        SW_CHECK(walk(root.get(), filter, filter, 0, candidates));
      } else {
        candidates.push_back(filter);
      }
    }
  }
  // `dir/**` as the user wrote it, not as we added it to a name.
  need_all = need_all || std::ranges::any_of(patterns, [](const std::string& pattern) {
               return !pattern.starts_with('!') && has_wildcard(pattern);
             });
  need_all = need_all || std::ranges::count(filters, "**") > 0;
  if (need_all) {
    const auto& all = files();
    if (!all) return std::unexpected(all.error());
    candidates.insert(candidates.end(), all->begin(), all->end());
  }
  std::erase_if(candidates, [&](const std::string& path) { return !matches_filters(filters, path); });
  std::ranges::sort(candidates);
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  return candidates;
}

Result<std::string> Snapshot::hash(const std::vector<std::string>& patterns) const {
  const auto known = hashes_.with([&](const auto& hashes) -> std::optional<std::string> {
    const auto at = hashes.find(patterns);
    if (at == hashes.end()) return std::nullopt;
    return at->second;
  });
  if (known) return *known;
  const auto limit = question();
  SW_TRY(const auto paths, matching(patterns));
  SW_TRY(const os::Fd root, os::open_file(root_, O_RDONLY | O_DIRECTORY));
  Hasher whole;
  bool any = false;
  for (const std::string& path : paths) {
    SW_TRY(const bool counted, hash_file(root.get(), path, whole, limit));
    any = any || counted;
  }
  if (!any) {
    return fail(ErrorKind::not_found, "no file matches " + printable(join(patterns, ", "), Colour::strip));
  }
  // Whoever answered first is right, should a file have changed meanwhile.
  return hashes_.with([&](auto& hashes) { return hashes.emplace(patterns, whole.finish()).first->second; });
}

const Changes& Snapshot::changes() const {
  std::call_once(changes_once_, [this] { changes_ = find_changes_(); });
  return changes_;
}

std::optional<bool> Snapshot::changed(const std::vector<std::string>& patterns) const {
  const Changes& found = changes();
  const auto filters = filters_of(patterns);
  if (!found.files || !filters) return std::nullopt;
  return std::ranges::any_of(*found.files, [&](const std::string& path) { return matches_filters(*filters, path); });
}

}  // namespace slipway::source
