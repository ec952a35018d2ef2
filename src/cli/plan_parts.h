#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/json_writer.h"
#include "model/run.h"

/// What `plan`, `explain` and `graph` show in one way. Private to them.
namespace slipway::cli {

/// A name as a terminal may get it.
std::string shown(std::string_view text);
void append_trace(std::string& text, const model::Trace& trace, std::string_view indent);
/// `"key":[{"text":...,"outcome":...}]`
void trace_array(JsonWriter& json, std::string_view key, const model::Trace& trace);
/// What a job waits for, by the names that `depends_on` says.
std::vector<std::string> dependencies_of(const model::Run& run, const model::Group& group);

}  // namespace slipway::cli
