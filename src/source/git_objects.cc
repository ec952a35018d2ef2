#include "source/git_objects.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "os/fd.h"
#include "os/files.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

Result<void> copy_whole(const fs::path& from, const fs::path& to) {
  SW_TRY(const os::Fd in, os::open_file(from, O_RDONLY | O_NOFOLLOW));
  SW_TRY(const os::Fd out, os::open_file(to, O_WRONLY | O_CREAT | O_EXCL, 0444));
  for (;;) {
    constexpr std::size_t kPart = 64U << 20U;
    const ssize_t copied = ::copy_file_range(in.get(), nullptr, out.get(), nullptr, kPart, 0);
    if (copied == 0) return {};
    if (copied < 0) return fail_errno(errno, "copying " + from.string());
  }
}

Result<void> link_file(const fs::path& from, const fs::path& to) {
  if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0) == 0 || errno == EEXIST) return {};
  // Another file system, another owner, or too many links.
  if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EACCES) return copy_whole(from, to);
  return fail_errno(errno, "linking " + from.string());
}

bool is_object_directory(const std::string& name) {
  return name == "pack" || (name.size() == 2 && name.find_first_not_of("0123456789abcdef") == std::string::npos);
}

// A pack is used as soon as its index is there: that comes last, and what is still being written not at all.
Result<void> link_directory(const fs::path& from, const fs::path& to) {
  if (::mkdir(to.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno(errno, "making " + to.string());
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(from, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const bool temporary = name.starts_with("tmp_") || name.starts_with(".tmp");
    if (!temporary && fs::is_regular_file(at->symlink_status(error))) files.push_back(at->path());
  }
  if (error) return fail(ErrorKind::internal, "listing " + from.string() + ": " + error.message());
  std::ranges::stable_partition(files, [](const fs::path& path) { return path.extension() != ".idx"; });
  for (const fs::path& file : files) SW_CHECK(link_file(file, to / file.filename()));
  return {};
}

}  // namespace

Result<void> link_objects(const fs::path& from, const fs::path& to) {
  SW_CHECK(os::make_directories(to / "pack", 0755));
  SW_CHECK(os::make_directories(to / "info", 0755));
  std::error_code error;
  for (fs::directory_iterator at(from, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!is_object_directory(name) || !fs::is_directory(at->symlink_status(error))) continue;
    SW_CHECK(link_directory(at->path(), to / name));
  }
  if (error) return fail(ErrorKind::internal, "listing " + from.string() + ": " + error.message());
  return {};
}

std::string describe_packs(const fs::path& objects) {
  std::vector<std::string> lines;
  std::error_code error;
  for (fs::directory_iterator at(objects / "pack", error), end; !error && at != end; at.increment(error)) {
    struct stat status{};
    if (::lstat(at->path().c_str(), &status) != 0) continue;
    lines.push_back(fmt::format("{} {} {}.{}", at->path().filename().string(), status.st_size, status.st_mtim.tv_sec,
                                status.st_mtim.tv_nsec));
  }
  std::ranges::sort(lines);
  return join(lines, "\n");
}

}  // namespace slipway::source
