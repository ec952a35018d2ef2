#include "init/identity.h"

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <fmt/format.h>

namespace slipway::init {

namespace {

constexpr std::uint32_t kMappedIds = 65536;

// What root of a sandbox's nested namespace keeps: enough for package managers, as Docker's default has it.
constexpr std::array kRootMayKeep = {CAP_CHOWN,     CAP_DAC_OVERRIDE, CAP_FOWNER,  CAP_FSETID,           CAP_KILL,
                                     CAP_SETGID,    CAP_SETUID,       CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SETFCAP,
                                     CAP_SYS_CHROOT};

enum class Keep { nothing, what_root_may };

/// What no program of the step can get back by being executed.
bool narrow_bounding_set(Keep what) {
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    bool keep = false;
    for (const int kept : kRootMayKeep) keep = keep || (what == Keep::what_root_may && kept == capability);
    if (keep) continue;
    // EINVAL: the kernel is older than the header and does not know it.
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) return false;
  }
  return true;
}

bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return ::syscall(SYS_capset, &header, none) == 0;
}

}  // namespace

Result<Identity> identity_of(const model::RunAs& run_as, const Entry& entry) {
  Identity identity;
  const bool wants_root =
      run_as.kind == model::RunAs::Kind::root || (run_as.kind == model::RunAs::Kind::number && run_as.uid == 0);
  if (entry.single_id && wants_root) {
    return fail(ErrorKind::invalid, "only one user id can be mapped here: no step can run as root (install `uidmap`)");
  }
  if (entry.single_id) return Identity{entry.own_id, entry.own_id, "runner", "/home/runner", -1, false};
  switch (run_as.kind) {
    case model::RunAs::Kind::runner:
      return Identity{entry.runner_id, entry.runner_id, "runner", "/home/runner", -1, true};
    case model::RunAs::Kind::root:
      if (!entry.root_namespace) return fail(ErrorKind::unavailable, "this sandbox cannot run a step as root");
      return Identity{0, 0, "root", "/root", entry.root_namespace.get(), true};
    case model::RunAs::Kind::number:
      if (run_as.uid == 0) return identity_of({model::RunAs::Kind::root, 0}, entry);
      if (run_as.uid == entry.own_id || run_as.uid >= kMappedIds - 1) {
        return fail(ErrorKind::invalid, fmt::format("no step may run as {} in this sandbox", run_as.uid));
      }
      if (run_as.uid == entry.runner_id) return identity_of({}, entry);
      return Identity{run_as.uid, run_as.uid, fmt::format("{}", run_as.uid), "/tmp", -1, true};
    case model::RunAs::Kind::source: return fail(ErrorKind::invalid, "run_as: source needs a sandbox of its own");
  }
  return fail(ErrorKind::invalid, "an unknown run_as");
}

bool become(const Identity& identity) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (!identity.switches) return true;
  const bool is_root = identity.user_namespace >= 0;
  if (is_root && ::setns(identity.user_namespace, CLONE_NEWUSER) != 0) return false;
  if (::syscall(SYS_setgroups, 0, nullptr) != 0) return false;
  // The bare calls: glibc's wrappers would tell the other threads, of which a child of fork has none.
  if (::syscall(SYS_setresgid, identity.gid, identity.gid, identity.gid) != 0) return false;
  if (::syscall(SYS_setresuid, identity.uid, identity.uid, identity.uid) != 0) return false;
  if (!narrow_bounding_set(is_root ? Keep::what_root_may : Keep::nothing)) return false;
  return is_root || drop_capabilities();
}

}  // namespace slipway::init
