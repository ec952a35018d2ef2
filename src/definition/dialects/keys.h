#pragma once

#include "definition/keys.h"

/// What the files of other systems may hold: for `validate`, which then says what is wrong with them as with ours.
namespace slipway::definition {

extern const Shape kReactorcideJobFile;
extern const Shape kReactorcideWorkflowFile;
extern const Shape kFlatJobFile;
extern const Shape kRegistryFile;

/// A job's text lies in its own file: `.reactorcide/jobs/NAME.yaml` as `job_file` sees it.
inline constexpr long kMostSeconds = 315'360'000;  // ten years

}  // namespace slipway::definition
