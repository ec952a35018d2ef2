#include "sandbox/native/beside.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/scope_exit.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/openat2.h"

namespace slipway::sandbox::native {

namespace {

constexpr unsigned kPlain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

Result<os::Fd> open_directory(int below, const std::string& path, std::uint64_t resolve) {
  os::Fd fd =
      os::open_held(below, path.c_str(), O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve);
  if (fd) return fd;
  const int error = errno;
  if (error == ENOENT) return fail(ErrorKind::not_found, path + " does not exist in the job");
  return fail(ErrorKind::denied, path + " is no directory that can be shared (a link, a mount, or a file)");
}

Result<std::vector<BesideMount>> take(const SandboxSpec& spec) {
  std::vector<BesideMount> taken;
  SW_TRY(const os::Fd workspace, open_directory(AT_FDCWD, spec.workspace, 0));
  if (spec.beside->source) {
    SW_TRY(const os::Fd source, open_directory(workspace.get(), "src", RESOLVE_BENEATH));
    SW_TRY(os::Fd mount, os::clone_mount(source.get(), "", os::Submounts::left_out));
    SW_CHECK(os::allow_execution(mount.get()));
    taken.push_back({std::move(mount), spec.workspace + "/src"});
  }
  for (const std::string& share : spec.beside->shares) {
    const std::string below = share.substr(spec.workspace.size() + 1);
    // No mount is crossed: what is not the job's own plain file cannot be shared.
    SW_TRY(const os::Fd directory, open_directory(workspace.get(), below, RESOLVE_BENEATH | RESOLVE_NO_XDEV));
    SW_TRY(os::Fd mount, os::clone_mount(directory.get(), "", os::Submounts::left_out));
    taken.push_back({std::move(mount), share});
  }
  return taken;
}

}  // namespace

Result<std::vector<BesideMount>> take_mounts_of_job(const SandboxSpec& spec, int job_process, int shared) {
  SW_TRY(const os::Fd own, os::open_file("/proc/self/ns/mnt", O_RDONLY));
  SW_TRY(const os::Fd here, os::open_file(".", O_PATH | O_DIRECTORY));
  if (::setns(job_process, CLONE_NEWNS) != 0) {
    if (errno == ESRCH) return fail(ErrorKind::unavailable, "the job has ended");
    return fail_errno(errno, "entering the job's mounts");
  }
  auto taken = take(spec);
  if (::setns(own.get(), CLONE_NEWNS) != 0 || ::fchdir(here.get()) != 0) {
    return fail_errno(errno, "coming back from the job's mounts");
  }
  if (!taken) return taken;
  for (const BesideMount& one : *taken) {
    const bool is_source = one.inside == spec.workspace + "/src";
    SW_CHECK(os::restrict_mount(one.mount.get(), kPlain, os::Submounts::left_out, is_source ? -1 : shared));
  }
  return taken;
}

}  // namespace slipway::sandbox::native
