#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/options.h"

namespace slipway::program {

/// What a run was asked for, as the history keeps it: enough to ask for it again. A URL's credentials are not in it.
struct AskedRun {
  cli::Selection what;
  std::vector<cli::SettingFlag> flags;  ///< those kept say what jobs run on
  std::string rerun_of;                 ///< the id of the run that it began from; empty: of none
};
std::string encode(const AskedRun& run);
Result<AskedRun> parse_asked_run(const std::string& json);

}  // namespace slipway::program
