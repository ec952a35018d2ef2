#pragma once

#include <string_view>

#include "model/definition.h"

namespace slipway::model {

/// How it went, behind a name: `timed out`, `was skipped`, `could not be run`.
std::string_view past_tense(Outcome outcome);

}  // namespace slipway::model
