#pragma once

#include <string>
#include <vector>

#include "init/entry.h"

namespace slipway::sandbox::native {

/// The launcher: a small process that a large one starts once and feeds over a socket, because a fork of the large one
/// would copy its page tables. It makes one child a sandbox; the child sets itself up and becomes the sandbox's init.
/// Speaks what setup_spec.h says on descriptor `kLauncherSocket` and ends when that closes; its children live on,
/// each on its own leash. `stage`: an existing empty directory, where each child mounts unseen by anyone else.
/// `host_paths`: what `image: host` shows.
inline constexpr int kLauncherSocket = 3;
int run_launcher(const std::string& stage, const std::vector<std::string>& host_paths, init::EntryPoint entry);

}  // namespace slipway::sandbox::native
