#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "secrets/masker.h"

namespace slipway::secrets {

/// Why `value` cannot be masked; none if it can. `value` has no white space at its ends.
Weakness weakness_of(std::string_view value);

/// The value without white space at its ends: what a file's last newline or an environment variable make no
/// difference to.
std::string_view trimmed(std::string_view value);

/// Everything to look for when `value`, trimmed and not weak, is secret. No two are equal; none is shorter than
/// kShortestSecret.
std::vector<std::string> derive_needles(std::string_view value);

}  // namespace slipway::secrets
