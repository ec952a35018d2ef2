#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/error.h"
#include "cli/definitions.h"
#include "definition/support.h"
#include "engine/triggers.h"
#include "model/definition.h"
#include "model/event.h"

namespace slipway::program {

/// The jobs that others may ask for by name: `.slipway/jobs/NAME.yaml` (or `.yml`) of one project, else
/// `.reactorcide/jobs/NAME.yaml`, else a job of the registry that the run is of. Each file is read when it is first
/// asked for, then remembered: all jobs of a run that ask for it get the same. One thread.
class JobFiles {
 public:
  /// `trust`: of the project's commit. `event`: what happened; outlives this.
  JobFiles(std::filesystem::path project, model::Trust trust, definition::BuildSupport support,
           const model::Event& event)
      : project_(std::move(project)), trust_(trust), support_(support), event_(event) {}

  /// Jobs of a registry: those of `files` that are.
  void add_registry(const std::vector<cli::DefinitionFile>& files);

  /// By the job's name or, where that ends in `.yaml` or `.yml`, its file's, with or without the directory.
  /// `not_found`: no such file; `invalid`: what is wrong with it, or what this build cannot honour, with places.
  Result<engine::FoundJob> find(const std::string& name);

 private:
  Result<engine::FoundJob> read(const std::string& name) const;
  Result<engine::FoundJob> read_file(const std::string& path) const;

  std::filesystem::path project_;
  model::Trust trust_;
  definition::BuildSupport support_;
  const model::Event& event_;
  std::map<std::string, model::JobDefinition> registry_;
  std::map<std::string, Result<engine::FoundJob>> known_;
};

}  // namespace slipway::program
