#pragma once

#include <string>

#include "base/error.h"

namespace slipway::sandbox {

/// The texts of a sandbox's /etc/passwd and /etc/group: our users' entries come first, so that their ids have their
/// names whoever else has them, and instead of another `runner` or `source`.
struct IdentityFiles {
  std::string passwd, group;
};

/// Of this machine's users, for `image: host`.
IdentityFiles identity_files_of_host();
/// Of the users of the image in whose root the process stands; its files are read as untrusted.
Result<IdentityFiles> identity_files_of_image();

}  // namespace slipway::sandbox
