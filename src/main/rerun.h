#pragma once

#include "main/local_run.h"

/// Runs that begin where an earlier one was.
namespace slipway::program {

/// `slipway runs rerun`: a new run of the same definition on the same event and code.
int rerun(const Surroundings& around, const cli::RunsRerunOptions& options, SignalWatch& signals);

/// `slipway runs shell`: a command in a new sandbox that is as a job of the run had it; its exit code. The history
/// keeps nothing of it.
int shell(const Surroundings& around, const cli::RunsShellOptions& options, SignalWatch& signals);

}  // namespace slipway::program
