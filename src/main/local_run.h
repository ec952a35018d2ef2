#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/configuration.h"
#include "cli/options.h"
#include "main/event_file.h"
#include "main/selection.h"
#include "main/signals.h"
#include "model/run.h"
#include "store/store.h"
#include "worker/artifacts.h"

namespace slipway::program {

/// What a command gets from `main`.
struct Surroundings {
  std::map<std::string, std::string> environment;
  std::filesystem::path directory;  ///< where the command works, absolute
  const cli::CommonOptions& common;
  const cli::Configuration& configuration;
  const std::optional<EventFile>& event;  ///< `--event-file`
};

/// How a run differs from what its command line asks for (main/rerun.h). Each is called once, where it is set, in the
/// order given; an error ends the command.
struct Variation {
  std::function<Result<void>(Selected&)> definitions;             ///< they were read
  std::function<Result<void>(std::vector<cli::Planned>&)> plans;  ///< of them one is left
  std::function<Result<void>(const worker::Artifacts&, const std::vector<model::Run>&)> start;
  /// A job of it is held; `owner` as of store::Owner::id. On the thread that drives the job.
  std::function<void(const model::JobSpec&, const std::string& owner)> held;
  /// It has ended. May remove it from the history, and say what the command ends with.
  std::function<Result<int>(store::Store&, int exit_code)> end;
  bool is_silent = false;  ///< nothing of it is shown
  /// The revision that an earlier run's code was asked for by: a stranger's proposal cannot be told by its commit.
  std::string first_ref;
  std::string asked;  ///< what the history keeps of how it was asked for; empty: the selection
};

/// `slipway run`: looks up, plans, drives to the end, shows. Returns the process's exit code (docs/concepts.md).
int run_locally(const Surroundings& around, const cli::RunOptions& options, SignalWatch& signals,
                const Variation& variation = {});

/// The options of every run of a command line, with the settings' defaults.
model::RunOptions run_options(const cli::Selection& what, const cli::Settings& settings);

}  // namespace slipway::program
