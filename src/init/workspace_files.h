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

/// `outputs.env`: one `K=V` a line, or `K<<END`, lines, `END`. Blank lines and lines that begin with `#` are passed
/// over. `invalid` names the line.
Result<std::vector<std::pair<std::string, std::string>>> parse_outputs(std::string_view text);

/// Both files as they lie in `workspace`, in one text for `split_files`. For a helper child: opened as hostile input,
/// with the rights of the step. A missing file is empty; a link, FIFO or too large file is an error.
Result<std::string> read_workspace_files(const std::string& workspace);

struct WorkspaceFiles {
  std::string outputs, triggers;
};
Result<WorkspaceFiles> split_files(std::string_view text);

}  // namespace slipway::init
