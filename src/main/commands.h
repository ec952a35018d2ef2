#pragma once

#include "main/local_run.h"

namespace slipway::program {

/// Carries out one command of the command line; the exit code of the process.
int carry_out(const cli::Invocation& invocation, const std::map<std::string, std::string>& environment,
              SignalWatch& signals);

}  // namespace slipway::program
