#pragma once

#include <string>

namespace slipway::sandbox::docker {

/// The call filter of the whole container, as Docker takes it (JSON): what steps may call by their own filter
/// (os/seccomp.h), and what `slipway-init` needs to make the user namespaces it shuts them into.
std::string seccomp_profile();

}  // namespace slipway::sandbox::docker
