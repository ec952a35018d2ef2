#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "model/job_spec.h"

/// model::JobSpec as JSON: what goes over the leash and what a store may keep. Times and durations are integers in
/// microseconds; absent keys are defaults. Conditions keep their structure, places and source text.
namespace slipway::wire {

std::string to_json(const model::JobSpec& job);
/// `invalid`: not JSON, a wrong type, an unknown word, a step that depends on one that does not exist,
/// a condition nested deeper than 32.
Result<model::JobSpec> job_spec_from_json(std::string_view text);

}  // namespace slipway::wire
