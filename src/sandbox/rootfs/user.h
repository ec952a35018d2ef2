#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::sandbox::rootfs {

/// `UID` or `UID:GID` for what an image calls its user, names looked up in its own /etc/passwd and /etc/group, which
/// are read as untrusted. Empty stays empty. `layers`: directories, the topmost first. `invalid`: no such user.
Result<std::string> numeric_user(const std::string& user, const std::vector<std::string>& layers);

}  // namespace slipway::sandbox::rootfs
