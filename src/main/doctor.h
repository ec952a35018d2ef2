#pragma once

#include <vector>

#include "cli/configuration.h"
#include "cli/doctor.h"

namespace slipway::program {

/// Looks at what running jobs needs of this machine. Starts one sandbox; changes nothing that stays.
std::vector<cli::Check> examine_machine(const cli::Settings& settings);

}  // namespace slipway::program
