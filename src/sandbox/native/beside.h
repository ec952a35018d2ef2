#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "os/fd.h"
#include "sandbox/native/setup_spec.h"

namespace slipway::sandbox::native {

/// What a sibling gets of the job's mounts: detached copies, the source's with execution allowed.
struct BesideMount {
  os::Fd mount;
  std::string inside;
};

/// For the first process of a sibling, before it makes a mount: enters the job's mount namespace (`job_process`: a
/// pidfd of its first process), takes what `SandboxSpec::beside` names, and comes back to its own namespace and
/// directory. Every path is the job's word: no link is followed, and nothing outside its workspace reached. `shared`:
/// the user namespace that `shares` are shown through.
Result<std::vector<BesideMount>> take_mounts_of_job(const SandboxSpec& spec, int job_process, int shared);

}  // namespace slipway::sandbox::native
