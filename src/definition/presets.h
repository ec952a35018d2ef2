#pragma once

#include <string_view>

#include "model/definition.h"
#include "model/event.h"

namespace slipway::definition {

/// Sets of variables that a job may take by `presets`; no file may have one of that name. There is one: `reactorcide`,
/// the variables that jobs of Reactorcide know.
bool is_built_in_preset(std::string_view name);

/// Puts those that jobs of the workflow take into its presets, as they are on `event`.
void fill_presets(model::Workflow& workflow, const model::Event& event);
/// Puts the built-in ones that the job takes under its own `env`: for a job that joins a run of another workflow.
void fill_presets(model::JobDefinition& job, const model::Event& event);

}  // namespace slipway::definition
