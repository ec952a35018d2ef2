#pragma once

#include "model/expression.h"
#include "wire/json_fields.h"

/// Conditions as JSON. Included by the sources of wire/ only.
namespace slipway::wire {

/// {"text","line","column","file"} and one of "literal", "name", "not", "binary"+"left"+"right", "call"+"arguments",
/// "list".
json::value to_json_value(const model::Expression& expression);
/// Null and a note in `problem` when it is broken or nested too deeply.
model::ExpressionPtr expression_from_json(const json::value& value, std::string* problem, int depth = 0);

}  // namespace slipway::wire
