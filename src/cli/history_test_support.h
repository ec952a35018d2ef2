#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/history.h"

namespace slipway::cli {

/// A history in memory. `on_find` may change it before each look.
class HistoryOfTest final : public RunHistory {
 public:
  std::vector<RunEntry> runs;
  std::vector<std::string> removed;
  std::vector<std::string> unpacked;
  std::function<void(HistoryOfTest&)> on_find;

  Result<std::vector<RunEntry>> list(std::size_t most, const WantedRuns& which) override {
    auto listed = runs;
    std::erase_if(listed, [&](const RunEntry& run) {
      return (which.projects == Projects::this_one && !run.project.empty()) ||
             (!which.workflow.empty() && run.workflow != which.workflow) ||
             (which.outcome && run.outcome != which.outcome);
    });
    if (listed.size() > most) listed.resize(most);
    return listed;
  }
  Result<RunEntry> find(const std::string& text) override {
    if (on_find) on_find(*this);
    for (const RunEntry& run : runs) {
      if (text == "latest" || run.id.value.starts_with(text)) return run;
    }
    return fail(ErrorKind::not_found, "there is no run `" + text + "`");
  }
  Result<std::vector<TestEntry>> tests(const RunId&) override { return std::vector<TestEntry>(); }
  Result<std::uint64_t> remove(const RunId& run) override {
    removed.push_back(run.value);
    return 1024;
  }
  Result<std::uint64_t> sweep() override { return 2048; }
  Result<void> get_artifact(const RunId& run, const std::string& name,
                            const std::filesystem::path& directory) override {
    unpacked.push_back(run.value + ":" + name + ":" + directory.string());
    return {};
  }
};

}  // namespace slipway::cli
