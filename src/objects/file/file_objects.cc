#include "objects/file/file_objects.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "objects/staged_file.h"
#include "os/file_lock.h"
#include "os/files.h"

namespace slipway::objects {

namespace {

constexpr std::size_t kMaxObjects = 10'000'000;

std::filesystem::path path_of(const std::filesystem::path& root, const Digest& digest) {
  const std::string_view hex = std::string_view(digest.text).substr(digest.text.find(':') + 1);
  return root / hex.substr(0, 2) / hex.substr(2);
}

Time time_of(const struct stat& status) {
  return from_micros(status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000);
}

class FileUpload final : public Upload {
 public:
  FileUpload(StagedFile file, std::filesystem::path root, StagedFile::Sync sync)
      : file_(std::move(file)), root_(std::move(root)), sync_(sync) {}

  int fd() const override { return file_.fd(); }

  Result<Object> finish(const os::CallLimit& limit) override {
    SW_TRY(const os::Fd content, file_.close(sync_, limit));
    SW_TRY(Digest digest, digest_of(content.get(), limit));
    struct stat status{};
    if (::fstat(content.get(), &status) != 0) return fail_errno(errno, "fstat");
    const std::filesystem::path path = path_of(root_, digest);
    // Shared with other writers, against a sweep that decides about this very object now.
    SW_TRY(const auto lock, os::FileLock::acquire(root_ / "lock", os::LockMode::shared, limit));
    // The same content again: what is there is as good, and a sweep must see that it is wanted anew.
    if (::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) != 0) {
      if (errno != ENOENT) return fail_errno(errno, "touching " + path.string());
      const bool is_new = ::mkdir(path.parent_path().c_str(), 0700) == 0;
      if (!is_new && errno != EEXIST) return fail_errno(errno, "creating " + path.parent_path().string());
      SW_CHECK(file_.publish(path));
      if (is_new && sync_ == StagedFile::Sync::always) SW_CHECK(os::sync_directory(root_));
    }
    SW_TRY(const os::Fd kept, os::open_file(path, O_RDONLY));
    if (::fstat(kept.get(), &status) != 0) return fail_errno(errno, "fstat");
    return Object{std::move(digest), static_cast<std::uint64_t>(status.st_size), time_of(status)};
  }

 private:
  StagedFile file_;
  std::filesystem::path root_;
  StagedFile::Sync sync_;
};

}  // namespace

Result<std::unique_ptr<FileObjects>> FileObjects::open_at(const std::filesystem::path& root, const Options& options) {
  SW_CHECK(os::make_directories(root, 0700));
  SW_CHECK(os::make_directories(root / "staging", 0700));
  return std::unique_ptr<FileObjects>(new FileObjects(root, options));
}

Result<std::unique_ptr<Upload>> FileObjects::begin(std::uint64_t most_bytes) {
  SW_TRY(StagedFile file, StagedFile::create(root_ / "staging", most_bytes));
  const auto sync = options_.sync == Options::Sync::always ? StagedFile::Sync::always : StagedFile::Sync::never;
  return std::make_unique<FileUpload>(std::move(file), root_, sync);
}

Result<os::Fd> FileObjects::open(const Digest& digest) {
  SW_TRY(const Digest checked, parse_digest(digest.text));
  SW_TRY(os::Fd fd, os::open_file(path_of(root_, checked), O_RDONLY | O_NOFOLLOW));
  if (options_.verify == Options::Verify::never) return fd;
  SW_TRY(const Digest found, digest_of(fd.get(), {}));
  if (found != checked) return fail(ErrorKind::internal, "object " + checked.text + " is damaged");
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "lseek");
  return fd;
}

Result<bool> FileObjects::has(const Digest& digest) {
  SW_TRY(const Digest checked, parse_digest(digest.text));
  const auto path = path_of(root_, checked);
  if (::access(path.c_str(), F_OK) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_errno(errno, "looking for " + path.string());
}

Result<void> FileObjects::remove(const Digest& digest) {
  SW_TRY(const Digest checked, parse_digest(digest.text));
  const auto path = path_of(root_, checked);
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, "removing " + path.string());
}

Result<std::vector<Object>> FileObjects::list() {
  std::vector<Object> objects;
  std::error_code error;
  for (auto shard = std::filesystem::directory_iterator(root_, error);
       !error && shard != std::filesystem::directory_iterator(); shard.increment(error)) {
    const std::string high = shard->path().filename().string();
    if (high.size() != 2) continue;
    for (auto file = std::filesystem::directory_iterator(shard->path(), error);
         !error && file != std::filesystem::directory_iterator(); file.increment(error)) {
      auto digest = parse_digest("blake2b:" + high + file->path().filename().string());
      struct stat status{};
      if (!digest || ::stat(file->path().c_str(), &status) != 0) continue;  // not ours, or removed meanwhile
      if (objects.size() >= kMaxObjects) return fail(ErrorKind::exhausted, "too many objects");
      objects.push_back({std::move(*digest), static_cast<std::uint64_t>(status.st_size), time_of(status)});
    }
  }
  if (error) return fail(ErrorKind::internal, "listing objects: " + error.message());
  return objects;
}

Result<std::vector<Object>> FileObjects::sweep(const std::set<Digest>& kept, Time put_before) {
  SW_CHECK(StagedFile::sweep(root_ / "staging"));
  SW_TRY(const std::vector<Object> all, list());
  std::vector<Object> removed;
  for (const Object& object : all) {
    if (object.used >= put_before || kept.contains(object.digest)) continue;
    constexpr auto kPatience = std::chrono::seconds(10);
    SW_TRY(const auto lock, os::FileLock::acquire(root_ / "lock", os::LockMode::exclusive, os::within(kPatience)));
    struct stat status{};  // again, under the lock: it may have been put once more
    const auto path = path_of(root_, object.digest);
    if (::stat(path.c_str(), &status) != 0 || time_of(status) >= put_before) continue;
    SW_CHECK(remove(object.digest));
    removed.push_back(object);
  }
  return removed;
}

}  // namespace slipway::objects
