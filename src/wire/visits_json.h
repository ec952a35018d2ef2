#pragma once

#include "wire/json_fields.h"
#include "wire/visits.h"

/// The parts of visits.h that ride on the leash, as JSON. Inside wire/ only.
namespace slipway::wire {

json::object to_json_object(const AttachCommand& command);
AttachCommand read_attach_command(const Fields& fields);

}  // namespace slipway::wire
