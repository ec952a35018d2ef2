#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/event.h"
#include "model/job_spec.h"

/// What untrusted source may come near. Pure; asked by the planner, and again for each attempt as it starts, since jobs
/// that a trigger or a `for_each` adds are in no plan.
///
/// Source runs in a job's own sandbox where the text of its steps is a stranger's, and may run there wherever a
/// stranger's source is in it and not kept apart (JobSpec::separated). Steps that say `run_as: source` are in sandboxes
/// of their own, which hold no secrets.
namespace slipway::model {

/// The artifact of what a job leaves in its artifacts directory.
inline constexpr std::string_view kArtifactOfDirectory = "artifacts";

/// Below the workspace: where files arrive that a command on untrusted source hands over, apart from the job's own.
inline constexpr std::string_view kFromSource = "/from-source";

/// Of the code that the event is about: a pull request from a fork is a stranger's.
Trust trust_of(const Event& event);

/// Does the job, or one of its steps, get secrets?
bool holds_secrets(const JobSpec& job);

/// May untrusted source have done what the job's own sandbox does: asked for jobs, written any of its files?
bool may_run_source(const JobSpec& job);

/// Where the job finds its own code: job code of its own, else the checkout where that is as good as its text. No
/// value: the checkout is a stranger's and the text is not.
std::optional<std::string> job_code_directory(const JobSpec& job);

/// May untrusted source have written what the job leaves as this artifact? Where the source is kept apart it writes
/// below its own directory, and what is declared from elsewhere is job code's. `shares`: other directories that
/// sandboxes beside the job's could write.
bool may_be_of_source(const JobSpec& job, std::string_view artifact, const std::vector<std::string>& shares);
/// The same of a cache's paths.
bool may_be_of_source(const JobSpec& job, const CacheSpec& cache, const std::vector<std::string>& shares);

/// `denied`, with code and the way out: the job holds secrets, and its own text is untrusted.
Result<void> check_secrets_beside_source(const JobSpec& job);

/// `denied`: untrusted text names another place for code, which would be fetched with the user's rights, or an image of
/// this machine: anything but `host`, the operator's choice and the name of a registry's.
Result<void> check_code_places(const JobSpec& job);

/// `denied`: a job with secrets that takes in what untrusted source may have written. `what`: of which artifact, cache.
Result<void> check_tainted_input(const JobSpec& job, std::string_view what);

}  // namespace slipway::model
