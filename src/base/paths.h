#pragma once

#include <string_view>

/// Paths by their text alone; what links make of them is for who opens them.
namespace slipway {

/// Is `path` the directory itself, or below it? Both absolute, else it is not. `//`, `.`, `..` and a `/` at the end
/// change nothing: `/a/../b/` is `/b`.
bool lies_below(std::string_view path, std::string_view directory);

/// Names with `/` between them, none of them empty, `.` or `..`: stays inside whichever directory it is put behind.
bool is_clean_relative(std::string_view path);

}  // namespace slipway
