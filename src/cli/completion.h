#pragma once

#include <string>

#include "base/error.h"

namespace slipway::cli {

/// A completion script for `bash`, `zsh` or `fish`, made from the command table. `invalid` for other shells.
Result<std::string> completion_script(const std::string& shell);

}  // namespace slipway::cli
