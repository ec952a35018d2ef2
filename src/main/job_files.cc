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

Result<model::JobDefinition> JobFiles::find(const std::string& name) {
  if (const auto at = known_.find(name); at != known_.end()) return at->second;
  auto found = read(name);
  if (known_.size() < kMostKnown) known_.emplace(name, found);
  return found;
}

Result<model::JobDefinition> JobFiles::read(const std::string& name) const {
  for (const char* directory : {".slipway/jobs/", ".reactorcide/jobs/"}) {
    for (const char* extension : {".yaml", ".yml"}) {
      const std::string path = directory + name + extension;
      if (!definition::is_definition_file(path)) break;  // a name that leads elsewhere
      auto files = cli::read_definitions({path}, project_, project_);
      if (!files && files.error().kind == ErrorKind::not_found) continue;
      if (!files) return std::unexpected(files.error());
      cli::add_unsupported(*files, support_);
      const cli::DefinitionFile& file = files->front();
      if (definition::has_errors(file.problems)) return fail(ErrorKind::invalid, line_of(file.problems));
      if (!file.workflow->is_single_job)
        return fail(ErrorKind::invalid, path + " is a workflow: a trigger asks for jobs");
      model::JobDefinition job = file.workflow->jobs.front();
      job.trust = trust_;
      definition::fill_presets(job, event_);
      return job;
    }
  }
  if (const auto kept = registry_.find(name); kept != registry_.end()) return kept->second;
  return fail(ErrorKind::not_found,
              fmt::format("no template `{0}`, and no .slipway/jobs/{0}.yaml", printable(name, Colour::strip)));
}

}  // namespace slipway::program
