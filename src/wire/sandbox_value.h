#pragma once

#include "wire/json_fields.h"
#include "wire/sandbox_json.h"

namespace slipway::wire {

/// What a client of the control socket asks for: a request without its step.
json::object control_object(const SandboxRequest& request);

}  // namespace slipway::wire
