#include "os/bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "base/text.h"
#include "os/bundle_stream.h"
#include "os/fd.h"
#include "os/files.h"
#include "os/openat2.h"

namespace slipway::os {

namespace {

constexpr std::size_t kMaxRefused = 100;

/// Counts entries against the limits before anything is written for them.
class Budget {
 public:
  explicit Budget(const BundleLimits& limits) : left_(limits) {}
  Result<void> take(const EntryHeader& header) {
    if (left_.files == 0) return fail(ErrorKind::exhausted, "the bundle holds too many files");
    if (header.size > left_.bytes) return fail(ErrorKind::exhausted, "the bundle is too large");
    --left_.files;
    left_.bytes -= header.size;
    return {};
  }

 private:
  BundleLimits left_;
};

Fd open_beneath(int fd, const std::string& path) {
  return open_held(fd, path.c_str(), O_RDONLY | O_DIRECTORY, kBeneath & ~std::uint64_t{RESOLVE_NO_XDEV});
}

// As much of `path` as leads to a `.git`, in any case: some file systems tell none apart. Empty: there is none.
std::string_view repository_in(std::string_view path) {
  constexpr std::string_view kGit = ".git";
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const bool is_git = std::ranges::equal(path.substr(begin, end - begin), kGit, {}, [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (is_git) return path.substr(0, end);
    begin = end + 1;
  }
  return {};
}

class Unpacker {
 public:
  Unpacker(int in_fd, int target_fd, Links links, const BundleLimits& limits, Origin origin)
      : reader_(in_fd), target_(target_fd), links_(links), budget_(limits), origin_(origin) {}

  Result<BundleReport> run() {
    SW_CHECK(reader_.begin());
    for (;;) {
      SW_TRY(const EntryHeader header, reader_.next());
      if (header.kind == EntryHeader::Kind::end) break;
      SW_CHECK(budget_.take(header));
      const std::string_view repository = origin_ == Origin::stranger ? repository_in(header.path) : std::string_view();
      if (auto taken = repository.empty() ? entry(header) : leave_out(repository); !taken) {
        return wrap(taken.error(), "unpacking " + printable(header.path, Colour::strip));
      }
      SW_CHECK(reader_.close_entry());
    }
    SW_CHECK(set_modes());
    return std::move(report_);
  }

 private:
  struct Mode {
    std::string path;
    mode_t mode;
  };

  // Once for all of a repository: entries of a directory follow each other.
  Result<void> leave_out(std::string_view repository) {
    for (bool more = true; more;) {
      SW_TRY(const std::string_view bytes, reader_.content());
      more = !bytes.empty();
    }
    std::string told =
        printable(repository, Colour::strip) + ": a stranger's repository, in which git may run programs";
    if (report_.refused.size() < kMaxRefused && (report_.refused.empty() || report_.refused.back() != told)) {
      report_.refused.push_back(std::move(told));
    }
    return {};
  }

  Result<void> entry(const EntryHeader& header) {
    const std::size_t slash = header.path.rfind('/');
    SW_CHECK(enter(slash == std::string::npos ? std::string() : header.path.substr(0, slash)));
    const std::string name = slash == std::string::npos ? header.path : header.path.substr(slash + 1);
    switch (header.kind) {
      case EntryHeader::Kind::file: return file(header, name);
      case EntryHeader::Kind::link: return link(header, name);
      case EntryHeader::Kind::directory: {
        SW_CHECK(make(parent_.get(), name));
        // Its final mode may forbid writing into it, so it waits for the end.
        if (header.mode != 0755) modes_.push_back({header.path, header.mode});
        return {};
      }
      case EntryHeader::Kind::end: break;
    }
    return fail(ErrorKind::internal, "an entry without a kind");
  }

  // Makes `parent_` the directory `path`, and that exist where it does not.
  Result<void> enter(const std::string& path) {
    if (parent_ && path == parent_path_) return {};
    parent_ = open_beneath(target_, path);
    if (!parent_ && errno != ENOENT) return fail_errno(errno, "opening its directory");
    if (!parent_) {
      parent_ = open_beneath(target_, ".");
      if (!parent_) return fail_errno(errno, "opening the target");
      for (const std::string_view part : split(path, '/')) {
        SW_CHECK(make(parent_.get(), std::string(part)));
        Fd deeper = open_beneath(parent_.get(), std::string(part));
        if (!deeper) return fail_errno(errno, "opening its directory");
        parent_ = std::move(deeper);
      }
    }
    parent_path_ = path;
    return {};
  }

  static Result<void> make(int parent, const std::string& name) {
    if (::mkdirat(parent, name.c_str(), 0755) == 0) return {};
    if (errno != EEXIST) return fail_errno(errno, "creating a directory");
    struct stat status{};
    if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno(errno, "stat");
    if (!S_ISDIR(status.st_mode)) return fail(ErrorKind::conflict, "something else than a directory is there");
    return {};
  }

  // Frees the name of what is not a directory, so that neither a link nor another name of the file is written to.
  Result<void> clear(const std::string& name) {
    if (::unlinkat(parent_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
    return fail_errno(errno == EISDIR ? EEXIST : errno, "replacing what is there");
  }

  Result<void> file(const EntryHeader& header, const std::string& name) {
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    Fd fd(::openat(parent_.get(), name.c_str(), kFlags, 0600));
    if (!fd && errno == EEXIST) {
      SW_CHECK(clear(name));
      fd = Fd(::openat(parent_.get(), name.c_str(), kFlags, 0600));
    }
    if (!fd) return fail_errno(errno, "creating the file");
    for (;;) {
      SW_TRY(const std::string_view bytes, reader_.content());
      if (bytes.empty()) break;
      SW_CHECK(write_all(fd.get(), bytes));
    }
    if (::fchmod(fd.get(), header.mode) != 0) return fail_errno(errno, "fchmod");
    constexpr std::int64_t kMicros = 1'000'000;
    const std::int64_t seconds = header.mtime_micros / kMicros - (header.mtime_micros % kMicros < 0 ? 1 : 0);
    const timespec mtime{seconds, (header.mtime_micros - seconds * kMicros) * 1000};
    const timespec times[2] = {{0, UTIME_OMIT}, mtime};
    (void)::futimens(fd.get(), times);  // a time that this file system cannot hold is no reason to fail
    ++report_.files;
    report_.bytes += header.size;
    return {};
  }

  Result<void> link(const EntryHeader& header, const std::string& name) {
    std::string target;
    for (;;) {
      SW_TRY(const std::string_view bytes, reader_.content());
      if (bytes.empty()) break;
      target += bytes;
    }
    if (links_ == Links::refuse || (links_ == Links::inside && !stays_inside(header.path, target, 0))) {
      if (report_.refused.size() < kMaxRefused) {
        report_.refused.push_back(printable(header.path, Colour::strip) +
                                  (links_ == Links::refuse ? ": a link" : ": a link that leaves"));
      }
      return {};
    }
    SW_CHECK(clear(name));
    if (::symlinkat(target.c_str(), parent_.get(), name.c_str()) != 0) return fail_errno(errno, "creating the link");
    ++report_.files;
    report_.bytes += header.size;
    return {};
  }

  Result<void> set_modes() {
    for (auto mode = modes_.rbegin(); mode != modes_.rend(); ++mode) {
      const Fd fd = open_beneath(target_, mode->path);
      if (!fd || ::fchmod(fd.get(), mode->mode) != 0) {
        return fail_errno(errno, "setting the mode of " + printable(mode->path, Colour::strip));
      }
    }
    return {};
  }

  EntryReader reader_;
  int target_;
  Links links_;
  Budget budget_;
  Origin origin_;
  BundleReport report_;
  Fd parent_;
  std::string parent_path_;
  std::vector<Mode> modes_;
};

}  // namespace

Result<BundleReport> unpack(int in_fd, int target_fd, Links links, const BundleLimits& limits, Origin origin) {
  return Unpacker(in_fd, target_fd, links, limits, origin).run();
}

Result<std::vector<BundleEntry>> list_bundle(int in_fd, const BundleLimits& limits) {
  EntryReader reader(in_fd);
  Budget budget(limits);
  std::vector<BundleEntry> entries;
  SW_CHECK(reader.begin());
  for (;;) {
    SW_TRY(EntryHeader header, reader.next());
    if (header.kind == EntryHeader::Kind::end) return entries;
    SW_CHECK(budget.take(header));
    for (bool more = true; more;) {
      SW_TRY(const std::string_view bytes, reader.content());
      more = !bytes.empty();
    }
    SW_CHECK(reader.close_entry());
    if (header.kind != EntryHeader::Kind::directory) entries.push_back({std::move(header.path), header.size});
  }
}

}  // namespace slipway::os
