#pragma once

#include <cstddef>
#include <string>

namespace slipway::definition {

/// A YAML scalar that reads back as `text`, whatever it is, also inside of `[]` and `{}`: plain where that is safe,
/// else quoted. `indent` over 0: of several lines a block, its lines at `indent`, without a line end at the end.
std::string yaml_scalar(const std::string& text, std::size_t indent = 0);

}  // namespace slipway::definition
