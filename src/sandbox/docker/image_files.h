#pragma once

#include <string>

#include "sandbox/docker/engine.h"

/// Files of an image, as the daemon gives them out: in a tar archive of one file.
namespace slipway::sandbox::docker {

/// The text of a file of `container`, which need not run, by its path in it; empty: there is none, or it is no regular
/// file (a link is not followed). `exhausted`: over 4 MiB.
Result<std::string> read_file_of(Engine& engine, const std::string& container, const std::string& path,
                                 const os::CallLimit& limit);

/// The first regular file of a tar archive, if that is what comes first but for its PAX headers.
Result<std::string> file_in_tar(std::string_view archive);

}  // namespace slipway::sandbox::docker
