#pragma once

#include <map>
#include <optional>
#include <string>

#include "cli/configuration.h"
#include "cli/options.h"
#include "main/event_file.h"
#include "main/signals.h"
#include "model/run.h"

namespace slipway::program {

/// What a command gets from `main`.
struct Surroundings {
  std::map<std::string, std::string> environment;
  std::filesystem::path directory;  ///< where the command works, absolute
  const cli::CommonOptions& common;
  const cli::Configuration& configuration;
  const std::optional<EventFile>& event;  ///< `--event-file`
};

/// `slipway run`: looks up, plans, drives to the end, shows. Returns the process's exit code (docs/concepts.md).
int run_locally(const Surroundings& around, const cli::RunOptions& options, SignalWatch& signals);

/// The options of every run of a command line, with the settings' defaults.
model::RunOptions run_options(const cli::Selection& what, const cli::Settings& settings);

}  // namespace slipway::program
