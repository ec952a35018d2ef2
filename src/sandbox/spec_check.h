#pragma once

#include <filesystem>
#include <string_view>

#include "sandbox/sandbox.h"

namespace slipway::sandbox {

/// Letters, digits, `-`, `_` and `.`, not at its start; at most 64: fit for a directory, a host name, a device.
bool is_plain_name(std::string_view name);
bool is_clean_absolute(const std::filesystem::path& path);

/// What must hold of a sandbox whatever makes it: `invalid` for what a definition or a bug could ask.
Result<void> check_spec(const SandboxSpec& spec);

/// Of the set-up that follows: what is refused or missing then is the machine's fault, and not the job's.
Error fault_of_set_up(Error error);

}  // namespace slipway::sandbox
