#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace slipway {

/// A name for a file or directory: the first 32 hex digits of BLAKE2b over the parts and their lengths.
std::string hashed_name(std::initializer_list<std::string_view> parts);

}  // namespace slipway
