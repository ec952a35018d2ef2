#include "unpack/confinement.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "os/mount.h"
#include "os/user_namespace.h"

namespace slipway::unpack {

namespace {

constexpr std::uint64_t kMostMemory = 2ULL << 30U;  // xz may ask for much

constexpr std::array kKept = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP};

Result<void> keep_few_capabilities() {
  __u64 kept = 0;
  for (const int capability : kKept) kept |= 1ULL << static_cast<unsigned>(capability);
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    if ((kept >> static_cast<unsigned>(capability) & 1U) != 0) continue;
    // EINVAL: the kernel is older than the header and does not know it.
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) return fail_errno(errno, "capabilities");
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (unsigned half = 0; half < 2; ++half) {
    data[half].effective = data[half].permitted = static_cast<__u32>(kept >> (32U * half));
  }
  if (::syscall(SYS_capset, &header, data) != 0) return fail_errno(errno, "giving up capabilities");
  return {};
}

// The one who waits; never returns.
[[noreturn]] void pass_on(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

// The process stands in the target: as its working directory it has come along into the new mount namespace.
Result<os::Fd> leave_the_machine() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno(errno, "own mounts");
  SW_TRY(const os::Fd filled, os::clone_mount(AT_FDCWD, ".", os::Submounts::left_out));
  SW_CHECK(os::restrict_mount(filled.get(), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                              os::Submounts::left_out));
  SW_TRY(const os::Fd root, os::make_mount("tmpfs", {{"size", "64k"}, {"mode", "0755"}}, 0));
  SW_CHECK(os::attach_mount(root.get(), AT_FDCWD, "/"));
  if (::fchdir(root.get()) != 0 || ::mkdir("t", 0700) != 0) return fail_errno(errno, "an empty root");
  SW_CHECK(os::attach_mount(filled.get(), AT_FDCWD, "t"));
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return fail_errno(errno, "pivot_root");
  if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) return fail_errno(errno, "leaving the machine's root");
  os::Fd inside(::open("/t", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!inside) return fail_errno(errno, "opening the target");
  return inside;
}

}  // namespace

Result<Confined> confine(int target) {
  Confined confined;
  confined.owners = Owners::as_written;
  if (::geteuid() != 0) {
    SW_TRY(const bool with_range, os::enter_own_user_namespace());
    confined.owners = with_range ? Owners::range : Owners::all_callers;
  } else if (::setgroups(0, nullptr) != 0) {
    return fail_errno(errno, "setgroups");
  }
  if (::fchdir(target) != 0) return fail_errno(errno, "entering the target");
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID) != 0) {
    return fail_errno(errno, "namespaces of its own");
  }
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child > 0) pass_on(child);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // its parent has one thread, and ends only when killed
  const rlimit memory{kMostMemory, kMostMemory}, none{0, 0};
  ::setrlimit(RLIMIT_AS, &memory);
  ::setrlimit(RLIMIT_CORE, &none);
  SW_TRY(confined.target, leave_the_machine());
  ::close(target);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(errno, "no_new_privs");
  SW_CHECK(keep_few_capabilities());
  ::umask(0);
  return confined;
}

}  // namespace slipway::unpack
