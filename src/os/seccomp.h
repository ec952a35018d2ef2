#pragma once

#include "base/error.h"

namespace slipway::os {

enum class Nesting {
  refused,  ///< no new namespaces, no mounts
  allowed,  ///< `nested: true`: a job that makes its own sandboxes
};

/// Takes the calling thread, and what it will execute, under the system call filter of a step: an allow-list like
/// Docker's default; everything else fails with EPERM (calls newer than the list with ENOSYS, so that libc falls back),
/// clone3 with ENOSYS (its flags cannot be seen by a filter), keyrings are refused.
/// Needs no_new_privs. Only system calls: for use between fork and exec.
/// False: errno says why. Order for a step: enter its groups, its user namespace and ids, drop capabilities, this,
/// exec.
bool apply_step_filter(Nesting nesting);

/// For a program that reads what strangers wrote from a descriptor that it has, and writes to one: leaves reading and
/// writing, memory, time and its end. Any other call ends the process. As above.
bool apply_reader_filter();

}  // namespace slipway::os
