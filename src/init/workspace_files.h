#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace slipway::init {

/// What a job may leave in its workspace instead of calling `slipway output` and `slipway trigger`.
inline constexpr std::size_t kMaxOutputsFile = 1U << 20U;
inline constexpr std::size_t kMaxTriggersFile = 1U << 20U;
inline constexpr std::size_t kMaxVariablesFile = 1U << 20U;
/// Outputs and variables of the workflow as other systems write them (docs/dialects.md): {"vars": {}, "outputs": {}}.
inline constexpr const char* kVariablesFile = "workflow-output.json";

/// `outputs.env`: one `K=V` a line, or `K<<END`, lines, `END`. Blank lines and lines that begin with `#` are passed
/// over. `invalid` names the line.
Result<std::vector<std::pair<std::string, std::string>>> parse_outputs(std::string_view text);

struct Variables {
  std::vector<std::pair<std::string, std::string>> vars, outputs;
};
/// What is no text is passed on as JSON. `invalid` names the key.
Result<Variables> parse_variables(std::string_view json);

/// The files as they lie in `workspace`, in one text for `split_files`. For a helper child: opened as hostile input,
/// with the rights of the step. A missing file is empty; a link, FIFO or too large file is an error.
Result<std::string> read_workspace_files(const std::string& workspace);

struct WorkspaceFiles {
  std::string outputs, triggers, variables;
};
Result<WorkspaceFiles> split_files(std::string_view text);

}  // namespace slipway::init
