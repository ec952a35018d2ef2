#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "definition/document.h"
#include "model/expression.h"

namespace slipway::definition {

/// Letters and digits of any language, `_ - .` and single blanks inside; at most kMaxNameLength bytes.
bool is_name(std::string_view text);
/// What other systems may call a job: any text on one line without control characters, of the same length.
bool is_foreign_name(std::string_view text);
/// What a service can be called by.
bool is_host_name(std::string_view text);
/// A letter or `_`, then letters, digits and `_`: what a shell takes as the name of a variable.
bool is_identifier(std::string_view text);

/// The value of a scalar by YAML 1.2's core schema: in quotes a text; plain null, booleans and numbers are what they
/// look like, `yes` and `on` are texts.
model::Value value_of(const Node& node);
/// What is wrong with it: a number that would read differently when it is put into text again, as 1.10 or 007.
std::optional<std::string> value_error(const Node& node);

}  // namespace slipway::definition
