#pragma once

#include <sys/types.h>

#include <string>

#include "base/error.h"
#include "os/fd.h"

/// User namespaces made ahead and entered later by setns: no dance of two processes at each start.
/// For small single-threaded programs only: these calls fork.
namespace slipway::os {

struct IdMap {
  std::string users, groups;  ///< lines of "inside outside count", as /proc/PID/uid_map takes them
};

/// A user namespace with these maps, below the caller's. The caller must be allowed to write them.
Result<Fd> make_user_namespace(const IdMap& map);

/// Moves this process into a user namespace of its own, in which it is root. True: with the caller's first range of
/// subordinate ids as 1 and up (newuidmap and /etc/subuid allow it, 65,534 at least); false: with one id only.
Result<bool> enter_own_user_namespace();

/// Will `enter_own_user_namespace` get a range? By what /etc says; no call is tried.
bool may_map_a_range();

/// A user namespace below `parent`, owned by `owner` (an id in `parent`), with a map onto ids of `parent`: a process
/// with that id in `parent` may enter it.
Result<Fd> make_nested_user_namespace(int parent, uid_t owner, const IdMap& map);

}  // namespace slipway::os
