#pragma once

#include <map>
#include <string>
#include <vector>

#include "init/identity.h"
#include "model/job_spec.h"

namespace slipway::init {

/// Where a step finds things.
struct StepPlaces {
  std::string workspace;    ///< /job
  std::string runtime_dir;  ///< /run/slipway
  std::string socket;       ///< the step's control socket
  std::string event_file;
  std::string python;  ///< put behind the PYTHONPATH; empty: nothing to put there
};

/// The whole environment of a step, `K=V`: what Slipway sets, then the job's, its secrets, the step's, its secrets.
/// Later ones hold. `slipway` is always found first: a PATH of the job's is put behind it. Pure.
std::vector<std::string> step_environment(const model::JobSpec& job, const model::StepSpec& step,
                                          const Identity& identity, const StepPlaces& places,
                                          const std::map<std::string, std::string>& secrets);

/// The whole environment of the one step of a sibling: little, what was declared for it, and nothing of where the job
/// is. Pure.
std::vector<std::string> sibling_environment(const model::JobSpec& job, const model::StepSpec& step,
                                             const Identity& identity);

/// Sets `name` in such a list, in place of all that it held of that name.
void set_variable(std::vector<std::string>& environment, std::string_view name, std::string_view value);

/// The value of `name` in such a list; empty when absent.
std::string_view value_in(const std::vector<std::string>& environment, std::string_view name);

}  // namespace slipway::init
