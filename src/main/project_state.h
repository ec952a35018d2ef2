#pragma once

#include <filesystem>
#include <string>

#include "store/store.h"

namespace slipway::program {

/// What jobs may ask about the other jobs of their project, on this machine: from the store that every `slipway run`
/// writes to. What a process that has died left as running does not run. Cheap: a few rows. One thread.
class ProjectState {
 public:
  /// Who asks: what it does itself is no answer.
  struct Asker {
    RunId run;
    std::string job;
  };
  /// `store` outlives this object.
  ProjectState(store::Store& store, std::filesystem::path state_dir, std::string project, Asker asker)
      : store_(store), state_dir_(std::move(state_dir)), project_(std::move(project)), asker_(std::move(asker)) {}

  /// Jobs of that name (of an instance, or of all instances) that are starting or running.
  Result<std::vector<store::JobResult>> running(const std::string& job) const;
  /// Jobs that deploy to `environment` now.
  Result<std::vector<store::JobResult>> deploying(const std::string& environment) const;
  /// The newest finished job of that name: of the run that asks, else of the project. `not_found`.
  Result<store::JobResult> newest_result(const std::string& job) const;

 private:
  Result<bool> may_see(const store::RunRow& run) const;
  bool is_live(const store::RunRow& run) const;
  bool is_asker(const RunId& run, const store::JobRow& job) const {
    return run == asker_.run && job.name == asker_.job;
  }

  store::Store& store_;
  std::filesystem::path state_dir_;
  std::string project_;
  Asker asker_;
};

/// The JSON for `what` (wire/control.h, `state`) about the job or environment `name`.
Result<std::string> answer_question(const ProjectState& state, const std::string& what, const std::string& name);

}  // namespace slipway::program
