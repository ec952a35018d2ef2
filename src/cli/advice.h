#pragma once

#include <string>
#include <vector>

#include "cli/history.h"

namespace slipway::cli {

/// What an attempt's figures say of its limits, where they are far off: `memory: asked for 4.0 GiB, peak 600 MiB:
/// 1 GiB would do`. Nothing of limits that nobody set, and of runs too short to tell.
std::vector<std::string> advice_of(const AttemptEntry& attempt);

/// The most memory that steps of an attempt held at a time, as far as their peaks tell; 0: not known.
std::uint64_t memory_peak_of(const AttemptEntry& attempt);

}  // namespace slipway::cli
