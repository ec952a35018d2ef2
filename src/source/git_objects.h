#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

/// A repository's object files, handled without git: what a stranger's server had a part in is not run, only linked.
namespace slipway::source {

/// Links `from`'s objects (its alternates' too) below `to`, which does not exist yet; copies where a link cannot be.
/// Only regular files; anything else in there is left out.
Result<void> link_objects(const std::filesystem::path& from, const std::filesystem::path& to);

/// Name, size and time of each pack and its index, to see later whether somebody or something changed them.
std::string describe_packs(const std::filesystem::path& objects);

}  // namespace slipway::source
