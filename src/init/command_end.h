#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "init/step_process.h"
#include "model/definition.h"

namespace slipway::init {

/// How a step's command, or that of a sibling, ended without having been ended from here.
struct CommandEnd {
  model::Outcome outcome = model::Outcome::infra_failed;
  int exit_code = 0;
  std::string reason;  ///< why it is not `succeeded`
  bool not_started = false;
};

/// `failed` is its author's doing: that there is no such program (127) or that it cannot be executed (126), or its
/// directory. What else keeps it from starting is the machine's: `infra_failed`.
CommandEnd end_of(int exit_code, const std::optional<StartFailure>& failure, std::uint64_t out_of_memory_kills);

/// Of one that there was no process for.
CommandEnd end_of(const Error& not_started);

}  // namespace slipway::init
