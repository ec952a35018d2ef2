#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::sandbox::rootfs {

/// The text of an image's own `etc/passwd` or `etc/group`, read as untrusted; empty: it has none.
using FileOfImage = std::function<Result<std::string>(const std::string& name)>;

/// `UID` or `UID:GID` for what an image calls its user, names looked up in its files. Empty stays empty.
/// `invalid`: no such user or group.
Result<std::string> numeric_user(const std::string& user, const FileOfImage& file);

/// Of an image that is unpacked. `layers`: directories, the topmost first.
FileOfImage files_in(const std::vector<std::string>& layers);

}  // namespace slipway::sandbox::rootfs
