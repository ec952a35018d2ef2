#pragma once

#include <filesystem>
#include <map>
#include <memory>

#include "os/guarded.h"
#include "sandbox/sandbox_directory.h"

namespace slipway::sandbox {

/// A backend's sandboxes between `start` and `destroy`, by id; `Record` is what it knows of one and has an `id`. Those
/// of dead owners are only directories below `parent`. Any thread.
template <class Record>
class LiveSandboxes {
 public:
  explicit LiveSandboxes(std::filesystem::path parent) : parent_(std::move(parent)) {}

  const std::filesystem::path& parent() const { return parent_; }

  void add(std::shared_ptr<Record> record) {
    records_.with([&](Records& records) { records[record->id] = record; });
  }
  /// Null: never was, or is destroyed.
  std::shared_ptr<Record> find(const SandboxId& id) {
    return records_.with([&](Records& records) -> std::shared_ptr<Record> {
      const auto found = records.find(id);
      return found == records.end() ? nullptr : found->second;
    });
  }

  /// SandboxBackend::destroy. `tear_down(record)` ends a live one, and is tried again at the next call when it fails;
  /// `tear_down_abandoned(directory)` one of a dead owner.
  template <class TearDown, class TearDownAbandoned>
  Result<void> destroy(const SandboxId& id, const TearDown& tear_down, const TearDownAbandoned& tear_down_abandoned) {
    // Out of the table first: of two calls at once one does the work.
    const auto record = records_.with([&](Records& records) -> std::shared_ptr<Record> {
      auto node = records.extract(id);
      return node.empty() ? nullptr : node.mapped();
    });
    if (!record) {
      auto abandoned = SandboxDirectory::take_over(parent_, id);
      if (!abandoned) return {};  // never was, or is another process's
      return tear_down_abandoned(*abandoned);
    }
    auto outcome = tear_down(*record);
    if (outcome) return {};
    add(record);
    return wrap(outcome.error(), "destroying sandbox " + id.value);
  }

 private:
  using Records = std::map<SandboxId, std::shared_ptr<Record>>;

  const std::filesystem::path parent_;
  os::Guarded<Records> records_;
};

}  // namespace slipway::sandbox
