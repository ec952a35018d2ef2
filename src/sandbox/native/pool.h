#pragma once

#include <filesystem>
#include <mutex>
#include <string>

#include "base/error.h"
#include "os/fd.h"
#include "os/file_lock.h"
#include "sandbox/native/launcher_link.h"

/// Disks too large for memory: a subvolume with a quota of a btrfs file system in a sparse file.
///
/// The file belongs to one process (flock) and is made afresh by it, so nothing of an earlier one can be in it. It is
/// mounted in the launcher's own mount namespace: with the launcher the mount and the loop device go too, as soon as no
/// sandbox has a disk there any more. Those that may outlive the process share a lock beside it.
namespace slipway::sandbox::native {

class Pool {
 public:
  /// `images`: where the files lie; `mount_point`: an existing directory; `bytes`: of the sparse file, 0 for half of
  /// what is free. `launcher` outlives this.
  Pool(std::filesystem::path images, std::filesystem::path mount_point, std::uint64_t bytes, LauncherLink& launcher)
      : images_(std::move(images)), mount_point_(std::move(mount_point)), bytes_(bytes), launcher_(launcher) {}
  ~Pool();

  static bool is_possible();  ///< root, btrfs in the kernel, mkfs.btrfs installed

  /// A directory (as the launcher's children see it) that holds `bytes` at most. Any thread.
  Result<std::string> create(const std::string& name, std::uint64_t bytes, const os::CallLimit& limit);

  /// After `create`: as long as somebody holds this, nobody else takes or removes the file.
  Result<os::FileLock> share(const os::CallLimit& limit);

  /// A missing one is success.
  Result<void> destroy(const std::string& name);

  /// Removes files whose process and sandboxes are dead.
  void sweep();

 private:
  Result<void> prepare(const os::CallLimit& limit);
  Result<void> take_image(const os::CallLimit& limit);

  const std::filesystem::path images_, mount_point_;
  const std::uint64_t bytes_;
  LauncherLink& launcher_;
  std::mutex mutex_;              // the first sandboxes wait for mkfs
  std::uint64_t mounted_by_ = 0;  // generation of the launcher that has it mounted
  std::filesystem::path image_path_;
  os::Fd image_, root_;
};

/// The launcher's part: mounts the file system in `image` at `mount_point`. Returns its top directory.
Result<os::Fd> mount_pool(int image, const std::string& mount_point);

}  // namespace slipway::sandbox::native
