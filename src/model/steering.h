#pragma once

#include "base/error.h"
#include "model/job_spec.h"
#include "model/run.h"

/// Values of a run that a stranger may have chosen, and where a job with secrets may not take them. Private to model/.
namespace slipway::model {

/// Whom the job's code may be believed, and what is kept apart for that. `spec` has its steps, secrets and places.
void take_trust(const Run& run, const JobDefinition& definition, JobSpec& spec);

/// `denied`: a job with secrets, in a run with untrusted source, lets an expression decide by what a stranger may have
/// chosen (outputs of a job that may run source, the pull request's title, its branch, who opened it) what its image
/// or a service's is, in which directory it works, or which paths it caches and keeps as artifacts. `spec` has its
/// trust. Also by way of `env` and `for_each`; what trusted job code puts out is its own word.
Result<void> check_steering(const Run& run, const Group& group, const JobDefinition& definition, const JobSpec& spec);

/// `invalid`: an image's text with `..` in its path, which would lead out of the directory that it seems to name.
Result<void> check_image_path(std::string_view image);

}  // namespace slipway::model
