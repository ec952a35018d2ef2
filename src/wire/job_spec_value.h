#pragma once

#include "model/job_spec.h"
#include "wire/json_fields.h"

/// model::JobSpec as a JSON value, for messages that hold one. Included by the sources of wire/ only.
namespace slipway::wire {

json::object to_json_object(const model::Readiness& ready);
model::Readiness read_readiness(const Fields& fields);
json::object resources_to_json(const model::Resources& resources);
/// Of the key `resources`.
model::Resources resources_of(const Fields& fields);
json::object to_json_object(const model::JobSpec& job);
model::JobSpec read_job_spec(const Fields& fields);

}  // namespace slipway::wire
