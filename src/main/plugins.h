#pragma once

#include <filesystem>
#include <string>

#include "worker/attempt_driver.h"

namespace slipway::program {

/// The plugins of job code that lies in `directory` and is seen in the sandbox at `inside`:
/// `.slipway/plugins/plugin_*.py` and `.reactorcide/plugins/plugin_*.py`, by name. Nothing of them is run here: a phase
/// whose name stands nowhere in their text is one that none of them takes part in. Reached through no link;
/// `exhausted`: over 100, or one over 1 MiB.
Result<worker::Plugins> find_plugins(const std::filesystem::path& directory, const std::string& inside);

}  // namespace slipway::program
