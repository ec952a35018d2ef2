#pragma once

#include "base/error.h"
#include "model/definition.h"

namespace slipway::model {

/// Reads what is in `job.late` into the members it belongs to and empties it. Errors: `invalid`, with the place.
Result<void> settle(JobDefinition& job, const Scope& scope);

}  // namespace slipway::model
