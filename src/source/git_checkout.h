#pragma once

#include <filesystem>
#include <string>

#include "source/git_mirror.h"
#include "source/source.h"

namespace slipway::source {

/// Makes one checkout of a pinned `spec` in `directory`, which exists and is empty.
class GitCheckout {
 public:
  /// All outlive it.
  GitCheckout(const GitMirror& from, std::filesystem::path directory, const SourceSpec& spec, Runner& runner,
              const os::CallLimit& limit)
      : from_(from), directory_(std::move(directory)), spec_(spec), runner_(runner), limit_(limit) {}

  Result<void> make();

 private:
  enum class Objects { sealed, writable };
  Result<void> git(std::vector<std::string> arguments, Objects objects,
                   std::vector<std::filesystem::path> readable = {});
  Result<void> with_remote(GitToolCall call);
  Result<void> take_history();
  Result<void> take_part_of_history();
  Result<void> take_submodules();
  Result<void> check_out_with_large_files(std::vector<std::string> arguments);
  std::vector<std::string> own_submodules() const;
  Result<void> write_config() const;
  Result<void> seal() const;

  const GitMirror& from_;
  std::filesystem::path directory_;
  const SourceSpec& spec_;
  Runner& runner_;
  const os::CallLimit& limit_;
};

}  // namespace slipway::source
