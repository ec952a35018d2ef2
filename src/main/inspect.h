#pragma once

#include "cli/planned.h"
#include "main/local_run.h"

/// Commands that look at definitions and plans and run nothing. Each returns the process's exit code.
namespace slipway::program {

int lint(const Surroundings& around, const cli::LintOptions& options);
int convert(const Surroundings& around, const cli::ConvertOptions& options);
int plan(const Surroundings& around, const cli::PlanOptions& options, const SignalWatch& signals);
int explain(const Surroundings& around, const cli::ExplainOptions& options, const SignalWatch& signals);
int graph(const Surroundings& around, const cli::GraphOptions& options, const SignalWatch& signals);

/// What `plan` and `run --dry-run` print.
int print_plan(const std::vector<cli::Planned>& planned, const cli::PlanOptions& options, const Surroundings& around);

}  // namespace slipway::program
