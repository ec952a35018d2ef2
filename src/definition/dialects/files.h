#pragma once

#include "definition/dialects/dialect.h"
#include "definition/keys.h"

/// One reader a dialect. Private to dialects/.
namespace slipway::definition {

/// Takes `{{` in all of it as text, refuses what only a server may say, and checks it against `shape`.
/// False: there is nothing to translate.
bool check_foreign(Source& source, Document& document, const Shape& shape);

Translation translate_reactorcide_job(Source& source, Document& document, const ReadOptions& options);
Translation translate_reactorcide_workflow(Source& source, Document& document, const ReadOptions& options);
Translation translate_job_file(Source& source, Document& document, const ReadOptions& options);
struct RegistryProject {
  std::string name;
  std::vector<Node*> jobs;
};
/// Of a registry that was checked. `not_found` names the projects that it has.
Result<std::vector<RegistryProject>> find_projects(const Node& root, const ProjectQuery& query);
/// The `job:` of one of a registry's jobs, which was checked.
Translation translate_registry_job(Source& source, Document& document, Node& job, const ReadOptions& options);

}  // namespace slipway::definition
