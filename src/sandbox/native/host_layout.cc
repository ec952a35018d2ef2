#include "sandbox/native/host_layout.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "os/files.h"
#include "sandbox/masked_paths.h"

namespace slipway::sandbox::native {

namespace {

constexpr std::size_t kMaxFile = 4U << 20U;

// Mount points strictly below `directory`, shortest first: an overlay shows one file system only.
std::vector<std::string> mounts_below(const std::string& directory) {
  std::vector<std::string> found;
  const auto text = os::read_file("/proc/self/mountinfo", kMaxFile);
  if (!text) return found;
  for (const std::string_view line : split(*text, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() < 5 || !words[4].starts_with(directory + "/")) continue;
    if (words[4].find('\\') != std::string_view::npos) continue;  // escaped blanks: not a system directory
    struct stat status{};
    const std::string path(words[4]);
    if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) found.push_back(path);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

bool others_may_read(const char* path, mode_t kind) {
  struct stat status{};
  return ::lstat(path, &status) == 0 && (status.st_mode & S_IFMT) == kind && (status.st_mode & S_IROTH) != 0;
}

}  // namespace

HostLayout read_host_layout(const std::vector<std::string>& host_paths) {
  HostLayout layout;
  std::vector<std::string> wanted = host_paths;
  for (const char* name : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    std::error_code missing;  // not every host has each
    const std::filesystem::path path(name);
    if (std::filesystem::is_symlink(path, missing)) {
      layout.links.emplace_back(name, std::filesystem::read_symlink(path, missing).string());
    } else if (std::filesystem::is_directory(path, missing)) {
      wanted.emplace_back(name);
    }
  }
  std::sort(wanted.begin(), wanted.end());  // parents first
  for (const std::string& directory : wanted) {
    if (std::find(layout.shown.begin(), layout.shown.end(), directory) != layout.shown.end())
      continue;  // a mount in another
    struct stat status{};
    if (::stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) continue;
    layout.shown.push_back(directory);
    for (std::string& inner : mounts_below(directory)) layout.shown.push_back(std::move(inner));
  }
  for (const char* path : kMaskedFiles) {
    if (others_may_read(path, S_IFREG)) layout.masked_files.emplace_back(path);
  }
  for (const char* path : kMaskedDirectories) {
    if (others_may_read(path, S_IFDIR)) layout.masked_directories.emplace_back(path);
  }
  layout.identity = identity_files_of_host();
  std::error_code unreadable;
  layout.self = std::filesystem::read_symlink("/proc/self/exe", unreadable).string();
  return layout;
}

}  // namespace slipway::sandbox::native
