#pragma once

#include <string>

#include "cli/history.h"
#include "cli/terminal_text.h"

namespace slipway::cli {

/// How a run, a job or an attempt of the history stands, as a symbol and in words. Without an outcome, and nobody who
/// drives it, it did not end.
Mark mark_of(const RunEntry& run);
Mark mark_of(const JobEntry& job);
Mark mark_of(const AttemptEntry& attempt);
std::string state_text(const RunEntry& run);
std::string state_text(const JobEntry& job);
std::string state_text(const AttemptEntry& attempt);

}  // namespace slipway::cli
