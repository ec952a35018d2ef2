#pragma once

#include <optional>
#include <string>
#include <vector>

#include "definition/problem.h"
#include "model/definition.h"
#include "model/job_spec.h"

namespace slipway::definition {

/// What the program that will run a workflow is able to honour.
struct BuildSupport {
  bool named_images = false;  ///< other than `host` or an absolute directory
  bool host_files = true;     ///< `host` and absolute directories
  bool image_files = true;    ///< with named_images: also `oci:` and `docker-archive:`
  bool job_images = true;     ///< what jobs say; false: one for all of them is named from outside
  bool job_code = false;      ///< ci_code and source_code
  bool source_steps = false;  ///< `run_as: source`
  bool devices = false;
  bool worker_choice = false;  ///< labels, priority: else noted as without effect
  bool kubernetes = false;     ///< else noted as without effect
};

/// Pure. An error (E102-E106) for each thing used that cannot be honoured: running without it would be another job.
/// A note (E110) for each that has no effect here. Sorted by place.
/// Images that hold `{{ }}` are known only once planned: ask `image_problem` again then.
std::vector<Problem> unsupported(const model::Workflow& workflow, const BuildSupport& support);

/// What untrusted source may not come near (model/trust.h): E111, E113.
std::optional<Problem> trust_problem(const model::JobSpec& job, const model::Place& place);
/// E112. `what`: that untrusted source may have written and the job takes in.
std::optional<Problem> tainted_problem(const model::JobSpec& job, std::string_view what, const model::Place& place);

/// The error for an image that this build cannot run, if it is one.
std::optional<Problem> image_problem(const std::string& image, const model::Place& place, const BuildSupport& support);

}  // namespace slipway::definition
