#pragma once

#include <cstddef>
#include <string>

/// How a text is written in YAML so that it reads back as the same text.
namespace slipway::definition {

/// Needs no quotes.
bool is_plain_yaml(const std::string& text);
/// Several lines that `|` can show: control characters, or a first line that begins with a blank, need quotes.
bool fits_yaml_block(const std::string& text);
/// `|`, and the lines at `indent`; no line end at the end.
std::string yaml_block(const std::string& text, std::size_t indent);

}  // namespace slipway::definition
