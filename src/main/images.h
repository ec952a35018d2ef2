#pragma once

#include "cli/planned.h"
#include "main/local_run.h"

namespace slipway::program {

int list_images(const Surroundings& around);
/// Their names, one a line, for a shell.
int complete_images(const Surroundings& around);
int remove_images(const Surroundings& around, const cli::ImagesRemoveOptions& options);
int prune_images(const Surroundings& around, const cli::ImagesPruneOptions& options);

/// Notes for each image by name of the planned jobs what it means here, where that is known.
void note_known_images(std::vector<cli::Planned>& planned, const cli::Settings& settings);

}  // namespace slipway::program
