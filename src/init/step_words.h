#pragma once

#include <string>

#include "init/step_process.h"
#include "model/job_spec.h"

/// What people are told about steps.
namespace slipway::init {

/// The first line of a script, or the argv: at most 200 bytes.
std::string title_of(const model::StepSpec& step);
std::string explain(const StartFailure& failure);
/// For an exit code that is not 0.
std::string explain_exit(int exit_code);

}  // namespace slipway::init
