#include "sandbox/native/pool.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/loop.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/text.h"
#include "os/files.h"
#include "os/message_socket.h"
#include "os/mount.h"
#include "os/subprocess.h"
#include "sandbox/native/setup_spec.h"

namespace slipway::sandbox::native {

namespace {

constexpr int kMostImages = 64;
constexpr std::uint64_t kLeastBytes = 1ULL << 30U;
constexpr std::size_t kMaxText = 1U << 20U;

// Sparse: takes only what sandboxes have written, and gives it back (discard).
std::uint64_t image_bytes(const std::filesystem::path& directory, std::uint64_t wanted) {
  constexpr std::uint64_t kWhole = ~std::uint64_t{0xFFFFF};
  if (wanted != 0) return std::max(wanted, kLeastBytes) & kWhole;
  struct statvfs status{};
  if (::statvfs(directory.c_str(), &status) != 0) return kLeastBytes;
  return std::max<std::uint64_t>(status.f_bavail * status.f_frsize / 2, kLeastBytes) & kWhole;
}

std::filesystem::path users_of(std::filesystem::path image) { return image.replace_extension(".users"); }

void copy_name(char* target, std::size_t size, const std::string& name) {
  std::strncpy(target, name.c_str(), size - 1);
}

}  // namespace

bool Pool::is_possible() {
  if (::geteuid() != 0 || ::access("/dev/loop-control", R_OK | W_OK) != 0) return false;
  bool tool = false;
  for (const char* path : {"/usr/sbin/mkfs.btrfs", "/sbin/mkfs.btrfs", "/usr/bin/mkfs.btrfs"})
    tool |= ::access(path, X_OK) == 0;
  const std::string known = os::read_file("/proc/filesystems", kMaxText).value_or("");
  return tool && known.find("\tbtrfs\n") != std::string::npos;
}

Pool::~Pool() {
  if (image_) ::unlink(image_path_.c_str());  // the launcher still has it open: the space is free when it has ended
}

Result<os::FileLock> Pool::share(const os::CallLimit& limit) {
  const std::scoped_lock lock(mutex_);
  return os::FileLock::acquire(users_of(image_path_), os::LockMode::shared, limit);
}

Result<void> Pool::take_image(const os::CallLimit& limit) {
  SW_CHECK(os::make_directories(images_, 0700));
  for (int number = 0; number < kMostImages; ++number) {
    const std::filesystem::path path = images_ / fmt::format("{}.img", number);
    SW_TRY(os::Fd file, os::open_file(path, O_RDWR | O_CREAT, 0600));
    struct stat status{};
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(file.get(), &status) != 0 || status.st_nlink == 0)
      continue;
    SW_TRY(const auto unused, os::FileLock::try_acquire(users_of(path), os::LockMode::exclusive));
    if (!unused) continue;
    if (::ftruncate(file.get(), 0) != 0 ||
        ::ftruncate(file.get(), static_cast<off_t>(image_bytes(images_, bytes_))) != 0) {
      return fail_errno(errno, "sizing " + path.string());
    }
    SW_TRY(const os::CommandOutput made, os::run_command({.argv = {"mkfs.btrfs", "-q", "-f", path.string()},
                                                          .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                                                          .working_dir = "/",
                                                          .fds = {}},
                                                         kMaxText, limit));
    if (made.exit_code != 0) return fail(ErrorKind::unavailable, "mkfs.btrfs: " + std::string(trim(made.err)));
    image_ = std::move(file);
    image_path_ = path;
    return {};
  }
  return fail(ErrorKind::exhausted, "every disk pool in " + images_.string() + " is in use");
}

Result<void> Pool::prepare(const os::CallLimit& limit) {
  if (root_ && mounted_by_ == launcher_.generation()) return {};
  root_.reset();  // a launcher that died took the mount along, and the disks on it
  image_.reset();
  SW_CHECK(take_image(limit));
  SW_TRY(os::SocketPair status, os::make_socket_pair());
  SW_CHECK(launcher_.send(encode_pool_request(mount_point_.string()), {image_.get(), status.second.get()}, limit));
  status.second.reset();
  os::MessageSocket answers(std::move(status.first));
  SW_TRY(os::Message answer, answers.receive(limit));
  SW_CHECK(decode_answer(answer.text));
  if (answer.fds.empty()) return fail(ErrorKind::internal, "the launcher's answer lacks the pool");
  btrfs_ioctl_quota_ctl_args quota{};
  quota.cmd = BTRFS_QUOTA_CTL_ENABLE;
  if (::ioctl(answer.fds[0].get(), BTRFS_IOC_QUOTA_CTL, &quota) != 0) return fail_errno(errno, "turning quotas on");
  root_ = std::move(answer.fds[0]);
  mounted_by_ = launcher_.generation();
  return {};
}

Result<std::string> Pool::create(const std::string& name, std::uint64_t bytes, const os::CallLimit& limit) {
  const std::scoped_lock lock(mutex_);
  if (auto ready = prepare(limit); !ready) return wrap(ready.error(), "disk pool");
  btrfs_ioctl_vol_args volume{};
  copy_name(volume.name, sizeof volume.name, name);
  if (::ioctl(root_.get(), BTRFS_IOC_SUBVOL_CREATE, &volume) != 0)
    return fail_errno(errno, "making a disk in the pool");
  const os::Fd made(::openat(root_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  btrfs_ioctl_qgroup_limit_args quota{};  // group 0: that of the subvolume itself
  quota.lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
  quota.lim.max_rfer = bytes;
  if (!made || ::ioctl(made.get(), BTRFS_IOC_QGROUP_LIMIT, &quota) != 0) {
    const int error = errno;
    ::ioctl(root_.get(), BTRFS_IOC_SNAP_DESTROY, &volume);
    return fail_errno(error, "limiting a disk of the pool");
  }
  return (mount_point_ / name).string();
}

Result<void> Pool::destroy(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  if (!root_) return {};
  const os::Fd volume(::openat(root_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!volume) return {};
  btrfs_ioctl_ino_lookup_args lookup{};
  lookup.objectid = BTRFS_FIRST_FREE_OBJECTID;
  const bool numbered = ::ioctl(volume.get(), BTRFS_IOC_INO_LOOKUP, &lookup) == 0;
  btrfs_ioctl_vol_args target{};
  copy_name(target.name, sizeof target.name, name);
  if (::ioctl(root_.get(), BTRFS_IOC_SNAP_DESTROY, &target) != 0)
    return fail_errno(errno, "removing a disk of the pool");
  if (!numbered) return {};
  btrfs_ioctl_qgroup_create_args group{};
  group.qgroupid = lookup.treeid;
  ::ioctl(root_.get(), BTRFS_IOC_QGROUP_CREATE, &group);  // create = 0 removes; newer kernels have done it already
  return {};
}

void Pool::sweep() {
  for (int number = 0; number < kMostImages; ++number) {
    const std::filesystem::path path = images_ / fmt::format("{}.img", number);
    const os::Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    const auto unused = os::FileLock::try_acquire(users_of(path), os::LockMode::exclusive);
    if (!unused || !*unused) continue;
    ::unlink(path.c_str());
    ::unlink(users_of(path).c_str());
  }
}

Result<os::Fd> mount_pool(int image, const std::string& mount_point) {
  SW_TRY(const os::Fd control, os::open_file("/dev/loop-control", O_RDWR));
  constexpr int kTries = 16;
  for (int i = 0; i < kTries; ++i) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return fail_errno(errno, "finding a loop device");
    const std::string path = fmt::format("/dev/loop{}", number);
    SW_TRY(const os::Fd device, os::open_file(path, O_RDWR));
    loop_config config{};
    config.fd = static_cast<__u32>(image);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;  // ends with its last user
    if (::ioctl(device.get(), LOOP_CONFIGURE, &config) != 0) {
      if (errno == EBUSY) continue;  // somebody was faster
      return fail_errno(errno, "setting up " + path);
    }
    SW_TRY(const os::Fd mount, os::make_mount("btrfs", {{"source", path}, {"discard", "async"}}, MOUNT_ATTR_NOSUID));
    SW_CHECK(os::attach_mount(mount.get(), AT_FDCWD, mount_point));
    return os::open_file(mount_point, O_RDONLY | O_DIRECTORY);
  }
  return fail(ErrorKind::unavailable, "no free loop device");
}

}  // namespace slipway::sandbox::native
