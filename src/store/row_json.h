#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/job_spec.h"

/// The parts of rows that are kept as JSON text: what is read as a whole and never searched. Private to store/.
/// Unknown keys are ignored, missing ones take their defaults, so that rows outlive a change of fields.
namespace slipway::store {

std::string encode(const model::AttemptReport& report);
Result<model::AttemptReport> decode_report(std::string_view text);

std::string encode(const model::Trace& trace);
Result<model::Trace> decode_trace(std::string_view text);

std::string encode(const std::map<std::string, std::string>& values);
Result<std::map<std::string, std::string>> decode_map(std::string_view text);

std::string encode(const std::vector<std::string>& names);
Result<std::vector<std::string>> decode_names(std::string_view text);

}  // namespace slipway::store
