#pragma once

#include <string>
#include <string_view>

#include "model/definition.h"

namespace slipway::model {

/// How it went, behind a name: `timed out`, `was skipped`, `could not be run`.
std::string_view past_tense(Outcome outcome);

/// Why a job failed by its service: its name, and `what` right behind (` ended while the job ran: exit code 3`).
std::string service_reason(std::string_view service, std::string_view what);
/// The service that such a reason is about; empty: it is about none.
std::string_view service_in(std::string_view reason);

}  // namespace slipway::model
