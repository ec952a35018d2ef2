#pragma once

#include "init/entry.h"

namespace slipway::sandbox::docker {

/// Where the container finds its leash: a socket that listens until init has connected, and to nobody afterwards.
inline constexpr const char* kLeashInside = "/run/slipway/leash";
inline constexpr const char* kProgramInside = "/run/slipway/bin/slipway";

/// `slipway-init docker`: the first process of a container. Connects the leash, sets the container up as its owner says
/// (setup.h), and hands over to `entry`. Returns the exit status.
int run_guest(init::EntryPoint entry);

}  // namespace slipway::sandbox::docker
