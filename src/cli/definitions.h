#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/options.h"
#include "cli/style.h"
#include "definition/problem.h"
#include "definition/reader.h"
#include "definition/support.h"
#include "model/definition.h"

namespace slipway::cli {

/// One file of definitions, read.
struct DefinitionFile {
  std::string name;  ///< as it is shown: relative to the project where it lies below it
  std::string text;
  std::shared_ptr<const model::Workflow> workflow;  ///< null when `problems` holds an error
  std::vector<definition::Problem> problems;
  definition::Dialect dialect = definition::Dialect::slipway;
  std::vector<definition::SecretValue> secret_values;  ///< that stand in the file
};

/// The files of definitions below `project`/.slipway, sorted, then those below .reactorcide, relative to `project`.
/// None is no error. At most 1,000.
Result<std::vector<std::string>> find_definitions(const std::filesystem::path& project);

/// Reads `files` (relative ones from `working_dir`; all of the project when empty). What is wrong inside of them is in
/// the answer; an error is a file that cannot be read: `not_found` with the nearest, `exhausted` over the size limit.
Result<std::vector<DefinitionFile>> read_definitions(const std::vector<std::string>& files,
                                                     const std::filesystem::path& working_dir,
                                                     const std::filesystem::path& project,
                                                     const definition::ReadOptions& options = {});
/// The jobs of one project of a registry, one entry each. `not_found` when the registry does not have it.
Result<std::vector<DefinitionFile>> read_registry(const std::string& file, const std::filesystem::path& working_dir,
                                                  const definition::ProjectQuery& project);
/// Takes files of Reactorcide that have errors out, and says so, one line each: there, one bad file does not stop the
/// others.
std::vector<std::string> leave_out_broken(std::vector<DefinitionFile>& files);

/// A file that the project itself names: no link of it leads out (`denied`).
Result<std::string> read_of_project(const std::filesystem::path& project, const std::string& name);

/// Adds to each file what this build cannot honour (definition::unsupported); its problems are sorted by place again.
void add_unsupported(std::vector<DefinitionFile>& files, const definition::BuildSupport& support);

/// All problems of all files as people read them, with excerpts; or one JSON object a line.
std::string problems_text(const std::vector<DefinitionFile>& files, const Style& style);
bool has_errors(const std::vector<DefinitionFile>& files);

/// `slipway lint`. What `run` would refuse because of `support` is an error here too. A directory stands for its
/// project's files of definitions.
Result<Answer> lint(const LintOptions& options, const std::filesystem::path& working_dir,
                    const std::filesystem::path& project, const definition::BuildSupport& support, const Style& style);

/// `slipway help E012`.
Result<std::string> help_code(const std::string& code);

}  // namespace slipway::cli
