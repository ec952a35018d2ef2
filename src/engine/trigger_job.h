#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "model/run.h"

/// The keys of one job in a trigger's JSON, over what the job is already. Private to engine/, for .cc files only.
///
/// | key | what |
/// | --- | --- |
/// | `job_name`, `name` | the job |
/// | `job_command`, `run` | its script; then it is complete |
/// | `job_file` | the file that it stands in, in place of a name that is looked up |
/// | `with` | parameters of its template |
/// | `depends_on`, `condition` | jobs of the run; `all_success`, `any_failed`, `always` |
/// | `env`, `for_each`, `item_var`, `timeout` (seconds), `priority` (0 to 100), `run_as_user` | as the keys of a file |
/// | `container_image`, `image` | `host`, or an image that a job or template of the run has |
/// | `working_dir`, `job_dir`, `code_dir` | the first that is there; the latter two below `/job` |
/// | `source_url`, `source_ref`, `source_type` | a place of code that a job of the run has already; the type is `git`
/// or `none` | | `ci_source_url`, `ci_source_ref`, `ci_source_type` | the same for job code | | `resources`,
/// `capabilities`, `worker_class`, `characteristics` | limits and labels | | all others | an error; those of the format
/// that mean nothing here may be there, empty |
namespace slipway::engine {

/// Says no to keys that a job of a trigger must not have: authority over runs, versions, organisations, misspelled
/// ones; and to values of another type than their key's. `null` stands for a key that is not there.
Result<void> check_keys(const boost::json::object& job);
/// The same of the object around the jobs.
Result<void> check_envelope(const boost::json::object& trigger);

/// `workflow.vars` of the object around the jobs: each of them gets these as JSON, in the variable where scripts for
/// other systems look for them.
void take_vars(const boost::json::object& trigger, model::JobDefinition& job);

/// What the run's author chose: images, and places of code. A job may choose among these, and name no others: a
/// directory of this machine, or a repository that is fetched with the user's rights, would be shown to it. For one
/// trigger: what takes long is looked for once.
class OfRun {
 public:
  explicit OfRun(const model::Run& run);
  Result<void> check_image(const std::string& image) const;
  Result<void> check_url(const std::string& url) const;

 private:
  void take(const model::JobDefinition& job);
  const model::Run& run_;
  std::set<std::string> images_, urls_;
  mutable std::optional<std::set<std::string>> resolved_;  // images of its jobs, with their expressions expanded
};

/// `known`: what images and places of code may be named.
Result<void> take_fields(const OfRun& known, const boost::json::object& object, model::JobDefinition& job);

/// The first of several keys that is there: people write both names.
std::string first_text_at(const boost::json::object& object, std::initializer_list<std::string_view> keys);
/// A text, number or boolean, as people write it. `key`: for the error.
Result<std::string> plain_text(const boost::json::value& value, std::string_view key);

/// As people may be shown it: its beginning.
std::string shown(std::string_view text);

}  // namespace slipway::engine
