#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "definition/problem.h"
#include "model/definition.h"

namespace slipway::definition {

/// Whose language a file is written in (docs/dialects.md).
enum class Dialect {
  slipway,
  reactorcide_job,       ///< `.reactorcide/jobs/NAME.yaml`
  reactorcide_workflow,  ///< `.reactorcide/workflows/NAME.yaml`
  job_file,              ///< a flat file with `command` or `job_command`, or code of two checkouts
  registry,              ///< `projects:` with their `jobs:`; read by read_registry
};
std::string_view to_string(Dialect dialect);

/// A value that stands in a file in plain text.
struct SecretValue {
  std::string name, value;
};

/// What a reader may ask about the world. Each may be null: then nothing is known.
struct ReadOptions {
  /// The text of a file below the project, by its path there: what a workflow of another dialect calls `job_file`.
  std::function<Result<std::string>(const std::string& path)> open;
  /// `${env:NAME}` of a dialect: its value; none: not set. Null: such text stays as it is.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  bool is_local = true;  ///< for a person's machine: jobs that are not meant for one are skipped
};

struct ReadResult {
  /// Has a value exactly when `problems` holds no error.
  std::optional<model::Workflow> workflow;
  /// What was found, sorted by place; at most kMaxProblems (limits.h).
  std::vector<Problem> problems;
  std::size_t more_problems = 0;  ///< found beyond these
  Dialect dialect = Dialect::slipway;
  std::vector<SecretValue> secret_values;  ///< for whoever runs it; never shown
};

/// Reads a workflow (`workflow:` at the top) or one job (`job:`), or a file of another dialect: all of the language but
/// whether this build can honour it (support.h). Pure but for `options`, any thread, linear in the size of `text`; the
/// limits are in limits.h. `file_name` is shown, and tells the dialect where it lies below `.reactorcide/`. Defaults,
/// presets' names, templates and aliases are resolved in what comes back; expressions are parsed and checked, and
/// expanded by the planner.
ReadResult read_workflow(std::string_view text, const std::string& file_name, const ReadOptions& options = {});

/// Which project of a registry.
struct ProjectQuery {
  std::string name;  ///< empty: by `url`
  std::string url;   ///< of the checkout; compared without scheme, login and `.git`
  bool all = false;  ///< every project
};
/// A registry's jobs of one project: one single-job workflow each. Problems of the whole file are those of the first
/// entry. Errors: `not_found` when the file is sound and names no such project, with those that it has.
Result<std::vector<ReadResult>> read_registry(std::string_view text, const std::string& file_name,
                                              const ProjectQuery& project);
bool is_registry(std::string_view text);

/// The same thing in our language, as YAML for people.
struct Converted {
  std::string yaml;               ///< empty when `problems` holds an error, or `is_ours`
  std::string name;               ///< of the workflow or job; may be empty
  bool is_job = false;            ///< a `job:`, not a `workflow:`
  bool is_ours = false;           ///< it is in our language already
  std::vector<Problem> problems;  ///< of reading it, and what has no equal (E076)
};
Converted convert(std::string_view text, const std::string& file_name, const ReadOptions& options = {});
/// One a job of the project; problems of the whole file are those of the first. Errors: as of read_registry.
Result<std::vector<Converted>> convert_registry(std::string_view text, const std::string& file_name,
                                                const ProjectQuery& project);

/// Is `path` (relative to the top of a project) a file of definitions: `.slipway/workflows/*.yaml` or
/// `.slipway/jobs/*.yaml` (`.yml` too), or the same below `.reactorcide/`, not deeper?
bool is_definition_file(std::string_view path);

}  // namespace slipway::definition
