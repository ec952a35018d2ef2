#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "model/expression.h"
#include "os/call_limit.h"
#include "os/guarded.h"
#include "source/working_tree.h"

namespace slipway::source {

/// `hash()` and `changed()` of a run, over the files of a directory. Answers are kept, so that they stay the same as
/// long as the run lives. Any thread.
///
/// Files: in a git checkout those that git tracks or does not ignore, elsewhere all but `.git`. A pattern without
/// wildcards names a file, or all files below a directory, whether git knows them or not; `!` leaves out again.
/// Links count by where they point, and are not followed.
class Snapshot final : public model::Facts {
 public:
  /// `changes` is called at most once, when something first asks. Each question takes at most 30 s, within `limit`.
  Snapshot(std::filesystem::path root, bool is_git, std::function<Changes()> changes, os::CallLimit limit)
      : root_(std::move(root)), is_git_(is_git), find_changes_(std::move(changes)), limit_(std::move(limit)) {}

  Result<std::string> hash(const std::vector<std::string>& patterns) const override;
  std::optional<bool> changed(const std::vector<std::string>& patterns) const override;
  /// All of them, for path filters and `explain`.
  const Changes& changes() const;

 private:
  Result<std::vector<std::string>> matching(const std::vector<std::string>& patterns) const;
  const Result<std::vector<std::string>>& files() const;
  os::CallLimit question() const;

  std::filesystem::path root_;
  bool is_git_;
  std::function<Changes()> find_changes_;
  os::CallLimit limit_;
  mutable std::once_flag changes_once_;
  mutable Changes changes_;
  mutable std::once_flag files_once_;
  mutable Result<std::vector<std::string>> files_;
  mutable os::Guarded<std::map<std::vector<std::string>, std::string>> hashes_;
};

}  // namespace slipway::source
