#pragma once

#include <map>
#include <string>

#include "model/definition.h"
#include "model/job_spec.h"

namespace slipway::cli {

/// One job with every default, as an item of a YAML list; behind a value that the job itself does not say stands a
/// comment with where it comes from. `known_images`: what names mean here, as a comment too.
std::string resolved_yaml(const model::JobSpec& job, const model::JobDefinition& definition,
                          const std::map<std::string, std::string>& known_images);

}  // namespace slipway::cli
