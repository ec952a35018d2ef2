#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "definition/document.h"

/// What YAML 1.1 as Python reads it makes of a value, and what Python's str() makes of that. `.reactorcide` files mean
/// this: `8080` is "8080", `true` and `yes` are "True", `1.50` is "1.5", `010` is "8", nothing is "None".
namespace slipway::definition {

/// `yes`, `No`, `ON`, `true`, ...
std::optional<bool> python_boolean(std::string_view plain);

/// The text; none: a list, a mapping or a point in time, whose text would be Python's own notation.
std::optional<std::string> python_text(const Node& node);

}  // namespace slipway::definition
