#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "main/asked_run.h"
#include "main/local_run.h"
#include "model/run.h"
#include "source/working_tree.h"
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
  /// `test` of the job `test (gcc)`.
  std::string definition_of(const std::string& job) const;
  /// The event as it was. An error: it was stored by another version.
  Result<EventFile> event() const;
  /// What was asked for then, on the code of then. `notes`: what people are to know of where that cannot be so.
  cli::Selection selection(const std::filesystem::path& directory, std::vector<std::string>& notes) const;
  /// The revision that its code was asked for by; empty where an event file said whose code it is.
  std::string first_ref() const;

  /// Flags of then that say what jobs run on.
  const std::vector<cli::SettingFlag>& flags() const { return asked_.flags; }
  /// What it was asked for, as the history keeps it of a run that begins from this one.
  std::string asked_again() const;
  /// The checkout that its project is in, as it is now.
  const source::WorkingTree& tree() const { return tree_; }

  /// Leaves the one plan that is of the same workflow.
  Result<void> choose(std::vector<cli::Planned>& planned) const;

  /// What of `run` is to be run again.
  struct Again {
    bool all = false, failed = false;
    std::vector<std::string> jobs;  ///< by instance or definition
    bool with_others = true;  ///< and what must then run again too; else the run has none but these and what they need
    std::string begin_job, begin_step;  ///< instance: with its kept workspace, from this step on
  };
  /// Sets what `run` takes over.
  Result<void> take_over(const Again& again, model::Run& run, std::vector<std::string>& notes);
  /// Makes what it took over its own.
  Result<void> share(const worker::Artifacts& artifacts, const model::Run& run) const;

  /// The jobs of a group of `run`: as they are planned; where that waits for outputs, as they were.
  std::vector<std::string> jobs_of(const model::Run& run, const model::Group& group) const;
  bool has_workspace(const std::string& job) const;

 private:
  EarlierRun(store::RunRow row, AskedRun asked, source::WorkingTree tree)
      : row_(std::move(row)), asked_(std::move(asked)), tree_(std::move(tree)) {}
  Result<void> read_attempts(store::Store& store);
  Result<std::set<std::string>> asked_for(const Again& again, const model::Run& run) const;
  void spread(const model::Run& run, std::set<std::string>& again, std::vector<std::string>& notes) const;
  std::vector<std::string> lost_artifacts(const std::string& job) const;

  store::RunRow row_;
  AskedRun asked_;
  source::WorkingTree tree_;
  std::map<std::string, store::JobRow> jobs_;
  std::map<std::string, model::AttemptReport> reports_;  // by job: of its last attempt, in this run or one before
  std::vector<worker::Artifact> artifacts_;              // those that are there still
};

}  // namespace slipway::program
