#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "main/local_run.h"
#include "model/run.h"
#include "store/store.h"
#include "worker/artifacts.h"

namespace slipway::program {

/// A stored run that another one begins from.
class EarlierRun {
 public:
  /// `text`: as of store::Store::find_run. `conflict`: it has not ended.
  static Result<EarlierRun> find(const Surroundings& around, const std::string& text);

  const store::RunRow& row() const { return row_; }
  /// `run #12`
  std::string name() const;
  std::vector<std::string> job_names() const;
  /// The event as it was. An error: it was stored by another version.
  Result<EventFile> event() const;
  /// What was asked for then, on the code of then. `notes`: what people are to know of where that cannot be so.
  Result<cli::Selection> selection(const Surroundings& around, std::vector<std::string>& notes) const;
  /// The revision that its code was asked for by; empty where an event file said whose code it is.
  Result<std::string> first_ref() const;

  /// Leaves the one plan that is of the same workflow.
  Result<void> choose(std::vector<cli::Planned>& planned) const;

  /// What of `run` is to be run again.
  struct Again {
    bool all = false, failed = false;
    std::vector<std::string> jobs;      ///< by instance or definition
    bool with_dependents = true;        ///< and what depends on them
    std::string begin_job, begin_step;  ///< instance: with its kept workspace, from this step on
    bool alone = false;                 ///< the run has none but these jobs, and what they depend on
  };
  /// Sets what `run` takes over.
  Result<void> take_over(const Again& again, model::Run& run, std::vector<std::string>& notes);
  /// Makes what it took over its own.
  Result<void> share(const worker::Artifacts& artifacts, const model::Run& run) const;

  bool has_workspace(const std::string& job) const;

 private:
  explicit EarlierRun(store::RunRow row) : row_(std::move(row)) {}
  Result<std::set<std::string>> asked_for(const Again& again, const model::Run& run) const;
  void spread(const model::Run& run, bool with_dependents, std::set<std::string>& again) const;
  std::vector<std::string> lost_artifacts(const std::string& job) const;

  store::RunRow row_;
  std::map<std::string, store::JobRow> jobs_;
  std::map<std::string, std::vector<std::string>> made_;  // by job: artifacts that its last attempt stored
  std::vector<worker::Artifact> artifacts_;               // those that are there still
};

}  // namespace slipway::program
