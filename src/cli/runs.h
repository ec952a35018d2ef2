#pragma once

#include <string>

#include "base/error.h"
#include "cli/history.h"
#include "cli/options.h"
#include "cli/prompt.h"

namespace slipway::cli {

/// How the answer is wanted. `now`: for ages.
struct RunsStyle {
  bool json = false;
  bool colour = false;
  Time now{};
};

Result<std::string> list_runs(const RunsListOptions& options, RunHistory& history, const RunsStyle& style);
Result<std::string> view_run(const RunsViewOptions& options, RunHistory& history, const RunsStyle& style);
/// Asks `prompt` first unless `yes`. Runs that go on are left alone, with a word about it.
Result<std::string> remove_runs(const RunsRemoveOptions& options, RunHistory& history, Prompt& prompt,
                                const RunsStyle& style);
/// Lists, or unpacks one artifact: into `output`, else a directory of its name below `working_dir`.
Result<std::string> run_artifacts(const RunsArtifactsOptions& options, RunHistory& history,
                                  const std::filesystem::path& working_dir, const RunsStyle& style);
/// The decisions about a job of a stored run, for `explain JOB --run RUN`.
Result<std::string> explain_stored(const ExplainOptions& options, RunHistory& history, const RunsStyle& style);

}  // namespace slipway::cli
