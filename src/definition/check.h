#pragma once

#include "definition/document.h"
#include "model/definition.h"

namespace slipway::definition {

/// What only the whole of a workflow shows: names of jobs and steps, cycles, presets, artifacts, and every expression.
void check_workflow(Source& source, const model::Workflow& workflow);

/// Names and types in expressions: the part of check_workflow in check_names.cc.
void check_names(Source& source, const model::Workflow& workflow);

}  // namespace slipway::definition
