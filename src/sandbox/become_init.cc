#include "sandbox/become_init.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace slipway::sandbox {

namespace {

constexpr rlim_t kMostOpenFiles = 65'536;  // of each process

Result<void> keep_capabilities() {
  constexpr unsigned kKept = (1U << CAP_CHOWN) | (1U << CAP_DAC_OVERRIDE) | (1U << CAP_FOWNER) | (1U << CAP_KILL) |
                             (1U << CAP_SETGID) | (1U << CAP_SETUID) | (1U << CAP_SETPCAP) | (1U << CAP_SYS_CHROOT);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  data[0].effective = data[0].permitted = kKept;
  if (::syscall(SYS_capset, &header, data) != 0) return fail_errno(errno, "dropping capabilities");
  return {};
}

}  // namespace

Result<void> become_init(const InitIdentity& identity) {
  if (identity.user_namespace >= 0 && ::setns(identity.user_namespace, CLONE_NEWUSER) != 0) {
    return fail_errno(errno, "entering the user namespace");
  }
  // Without a namespace of its own a change of id would take them.
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return fail_errno(errno, "keeping capabilities");
  const std::uint32_t id = identity.id;
  if (!identity.single_id && ::setgroups(0, nullptr) != 0) return fail_errno(errno, "dropping groups");
  if (::setresgid(id, id, id) != 0 || ::setresuid(id, id, id) != 0) return fail_errno(errno, "taking init's id");
  SW_CHECK(keep_capabilities());
  if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) return fail_errno(errno, "keeping capabilities no longer");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(errno, "no_new_privs");
  // Keys of whoever started slipway would stay readable otherwise, across user namespaces too.
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 && errno != ENOSYS) {
    return fail_errno(errno, "a new session keyring");
  }
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  if (identity.process_limit > 0) {
    const rlimit most{identity.process_limit, identity.process_limit};  // refused where the caller has less: that stays
    ::setrlimit(RLIMIT_NPROC, &most);
  }
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_max = std::min(files.rlim_max, kMostOpenFiles);
    files.rlim_cur = std::min(files.rlim_cur, files.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return {};
}

}  // namespace slipway::sandbox
