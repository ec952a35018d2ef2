#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/command_table.h"
#include "cli/history.h"
#include "cli/images.h"

namespace slipway::cli {

/// A completion script for `bash`, `zsh` or `fish`, made from the command table. `invalid` for other shells.
Result<std::string> completion_script(const std::string& shell);

/// The names of the jobs of a file, or of every definition of the project, one a line; those that can be read.
Result<std::string> job_words(const std::string& file, const std::filesystem::path& working_dir,
                              const std::filesystem::path& project);
/// The names of steps (Completes::step) or what `--break` may name (Completes::breakpoint), in the same way.
Result<std::string> step_words(Completes what, const std::string& file, const std::filesystem::path& working_dir,
                               const std::filesystem::path& project);
/// The codes that `slipway help` knows, and the commands.
std::string help_words();
/// The newest runs.
Result<std::string> run_words(RunHistory& history);
/// Names and ids of images.
std::string image_words(const std::vector<ImageEntry>& images);

}  // namespace slipway::cli
