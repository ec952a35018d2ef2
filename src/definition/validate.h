#pragma once

#include "definition/document.h"
#include "definition/keys.h"

namespace slipway::definition {

/// Reports everything in `node` that is not as `shape` says, and marks it bad: unknown keys, wrong kinds of values,
/// amounts that cannot be read, `{{ }}` where it may not stand. `subject` is whose value it is: ``job `package` ``.
void validate(Source& source, Node& node, const Shape& shape, const std::string& subject);

/// Does the text hold `{{` that means something?
bool has_expression(const Node& node);

}  // namespace slipway::definition
