#pragma once

#include <string>
#include <vector>

#include "init/own_directory.h"
#include "init/step_process.h"
#include "model/job_spec.h"

/// A step's own words: what is executed, where, and what people know it by.
namespace slipway::init {

/// The argv of a step; its script becomes the file `name` of `runtime`.
Result<std::vector<std::string>> argv_of(const model::StepSpec& step, const OwnDirectory& runtime,
                                         const std::string& name);
/// Absolute; what the step says is below the source directory.
std::string working_dir_of(const model::StepSpec& step, const std::string& workspace);

/// The first line of a script, or the argv.
std::string first_words(const model::StepSpec& step);

}  // namespace slipway::init
