#pragma once

#include <string>

#include "cli/history.h"
#include "cli/terminal_text.h"

namespace slipway::cli {

/// How a run or a job of the history stands, as a symbol and in words. A run without an outcome that nobody drives did
/// not end.
Mark mark_of(const RunEntry& run);
Mark mark_of(const JobEntry& job);
std::string state_text(const RunEntry& run);

}  // namespace slipway::cli
