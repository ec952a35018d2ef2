#pragma once

#include "base/error.h"
#include "os/fd.h"
#include "unpack/tree_writer.h"

namespace slipway::unpack {

struct Confined {
  os::Fd target;  ///< the directory to fill
  Owners owners = Owners::all_callers;
};

/// Moves this process, with the directory at descriptor `target`, into new user (rootless), mount, network, ipc, uts
/// and pid namespaces: an empty root that holds the target alone, no capability but over owners, modes and device
/// nodes, no new privileges. It is process 1 there; the calling process waits for it and passes on how it ends.
Result<Confined> confine(int target);

}  // namespace slipway::unpack
