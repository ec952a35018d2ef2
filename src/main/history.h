#pragma once

#include <filesystem>

#include "cli/history.h"
#include "store/store.h"
#include "worker/artifacts.h"

namespace slipway::program {

/// The local history that `slipway runs` and `slipway logs` read: the store's rows, seen from one project.
class LocalHistory final : public cli::RunHistory {
 public:
  struct Places {
    std::string project;  ///< run numbers count within it
    std::filesystem::path state_dir;
  };
  /// References outlive it.
  LocalHistory(store::Store& store, worker::Artifacts& artifacts, Places places)
      : store_(store), artifacts_(artifacts), places_(std::move(places)) {}

  Result<std::vector<cli::RunEntry>> list(std::size_t most, const cli::WantedRuns& which) override;
  Result<cli::RunEntry> find(const std::string& text) override;
  Result<std::vector<cli::TestEntry>> tests(const RunId& run) override;
  Result<std::uint64_t> remove(const RunId& run) override;
  Result<std::uint64_t> sweep() override;
  Result<void> get_artifact(const RunId& run, const std::string& name, const std::filesystem::path& directory) override;

 private:
  Result<void> add_jobs(cli::RunEntry& entry);
  Result<void> add_artifacts(cli::RunEntry& entry);

  store::Store& store_;
  worker::Artifacts& artifacts_;
  Places places_;
};

}  // namespace slipway::program
