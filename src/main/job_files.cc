#include "main/job_files.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/definitions.h"
#include "definition/presets.h"
#include "definition/reader.h"
#include "main/checks.h"

namespace slipway::program {

namespace {

constexpr std::size_t kMostKnown = 1'000;  // names come from jobs
constexpr std::size_t kMostShown = 5;

// On one line: it becomes the reason why a trigger was refused.
std::string line_of(const std::vector<definition::Problem>& problems) {
  std::vector<std::string> lines;
  for (const definition::Problem& problem : problems) {
    if (problem.severity != definition::Severity::error) continue;
    lines.push_back(fmt::format("{}:{}:{}: {} ({})", problem.place.file, problem.place.line, problem.place.column,
                                printable(problem.message, Colour::strip), problem.code));
  }
  const std::size_t all = lines.size();
  if (all > kMostShown) {
    lines.resize(kMostShown);
    lines.push_back(fmt::format("and {} more", all - kMostShown));
  }
  return join(lines, "; ");
}

}  // namespace

void JobFiles::add_registry(const std::vector<cli::DefinitionFile>& files) {
  for (const cli::DefinitionFile& file : files) {
    if (file.dialect != definition::Dialect::registry || !file.workflow) continue;
    // It keeps the trust that the registry was read with.
    registry_.emplace(file.workflow->name, file.workflow->jobs.front());
  }
}

Result<engine::FoundJob> JobFiles::find(const std::string& name) {
  if (const auto at = known_.find(name); at != known_.end()) return at->second;
  auto found = read(name);
  if (known_.size() < kMostKnown) known_.emplace(name, found);
  return found;
}

Result<engine::FoundJob> JobFiles::read(const std::string& name) const {
  const bool is_file = name.ends_with(".yaml") || name.ends_with(".yml");
  std::vector<std::string> paths;
  if (is_file) paths.push_back(name);  // with its directory
  for (const char* directory : {".slipway/jobs/", ".reactorcide/jobs/"}) {
    if (is_file) {
      paths.push_back(directory + name);
    } else {
      for (const char* extension : {".yaml", ".yml"}) paths.push_back(directory + name + extension);
    }
  }
  for (const std::string& path : paths) {
    // One of a job, and none that leads elsewhere.
    if (!definition::is_definition_file(path) || path.find("/jobs/") == std::string::npos) continue;
    auto found = read_file(path);
    if (found || found.error().kind != ErrorKind::not_found) return found;
  }
  if (const auto kept = registry_.find(name); kept != registry_.end()) return engine::FoundJob{kept->second, {}};
  const std::string shown = printable(name, Colour::strip);
  return fail(ErrorKind::not_found,
              is_file ? fmt::format("there is no job file {0} in .slipway/jobs or .reactorcide/jobs", shown)
                      : fmt::format("no template `{0}`, and no .slipway/jobs/{0}.yaml", shown));
}

Result<engine::FoundJob> JobFiles::read_file(const std::string& path) const {
  SW_TRY(auto files, cli::read_definitions({path}, project_, project_));
  cli::add_unsupported(files, support_);
  const cli::DefinitionFile& file = files.front();
  if (definition::has_errors(file.problems)) return fail(ErrorKind::invalid, line_of(file.problems));
  if (!file.workflow->is_single_job) return fail(ErrorKind::invalid, path + " is a workflow: a trigger asks for jobs");
  engine::FoundJob found{file.workflow->jobs.front(), path};
  found.definition.trust = trust_;
  definition::fill_presets(found.definition, event_);
  return found;
}

}  // namespace slipway::program
