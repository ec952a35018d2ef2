#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "definition/problem.h"
#include "model/definition.h"

namespace slipway::definition {

struct ReadResult {
  /// Has a value exactly when `problems` holds no error.
  std::optional<model::Workflow> workflow;
  /// What was found, sorted by place; at most kMaxProblems (limits.h).
  std::vector<Problem> problems;
  std::size_t more_problems = 0;  ///< found beyond these
};

/// Reads a workflow (`workflow:` at the top) or one job (`job:`): all of the language but whether this build can
/// honour it (support.h). Pure, any thread, linear in the size of `text`; the limits are in limits.h.
/// `file_name` is only shown. Defaults, presets' names, templates and aliases are resolved in what comes back;
/// expressions are parsed and checked, and expanded by the planner.
ReadResult read_workflow(std::string_view text, const std::string& file_name);

/// Is `path` (relative to the top of a project) a file of definitions: `.slipway/workflows/*.yaml` or
/// `.slipway/jobs/*.yaml` (`.yml` too), not deeper?
bool is_definition_file(std::string_view path);

}  // namespace slipway::definition
