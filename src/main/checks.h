#pragma once

#include <vector>

#include "cli/configuration.h"
#include "definition/support.h"
#include "main/selection.h"
#include "sandbox/sandbox.h"

namespace slipway::program {

/// What this program can do beyond the core of the language: the rest is refused with a code and a place.
definition::BuildSupport build_support(const cli::Settings& settings);

/// Shows what is wrong with the definitions, and what this build cannot honour, on standard error (with --json: as
/// JSON lines on standard output). False: something is an error.
bool report_problems(const Selected& selected, const cli::CommonOptions& common, const cli::Settings& settings);

/// What untrusted source may not come near (model/trust.h): `denied`, with place, code and the way out. Of what is
/// planned, artifacts that jobs hand on included. Runs on untrusted source get a decision `trust` for every job: what
/// was judged untrusted, and which risk was accepted.
Result<void> judge_trust(std::vector<cli::Planned>& planned);

/// What the operator must allow: `denied` names the job and the setting. Images that cannot be run here: `invalid`.
Result<void> check_policy(const std::vector<cli::Planned>& planned, const cli::Settings& settings);

/// The same for one attempt as it starts: jobs that a trigger or a `for_each` over outputs adds are in no plan.
Result<void> check_policy(const model::JobSpec& job, const cli::Settings& settings);

/// Whether somebody wrote a limit of the disk, in a job or as a setting: the built-in one is no promise.
bool asks_for_disk(const std::vector<model::Run>& runs, const cli::Configuration& configuration);

/// Says once on standard error which limits cannot be held here; with `require_limits` that is `denied`. That of the
/// disk is told of where it was asked for or is required.
Result<void> check_limits(const sandbox::Capabilities& can, const cli::Settings& settings, bool asks_for_disk);

}  // namespace slipway::program
