#pragma once

#include <string>
#include <string_view>

namespace slipway {

/// In quotes; bytes that are not UTF-8 become U+FFFD.
void append_json_text(std::string& out, std::string_view text);

}  // namespace slipway
