#pragma once

#include <string>

namespace slipway::definition {

/// The JSON Schema (draft 2020-12) of definition files, for editors; made from the table of keys.
/// It takes every file that the reader takes; what only the whole of a file shows, it cannot refuse.
std::string schema();

/// docs/language.md, made from the same table.
std::string reference_markdown();

}  // namespace slipway::definition
