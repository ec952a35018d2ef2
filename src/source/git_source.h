#pragma once

#include <filesystem>

#include "base/time.h"
#include "source/source.h"

namespace slipway::source {

/// Git repositories, by URL (`https://`, `ssh://`, `user@host:path`, `file://`) or by path.
///
/// Below its directory: `mirrors/HASH.git`, one a URL, fetched under a lock and rebuilt where it is broken (a path
/// needs none); `checkouts/SHA-HASH/`, made once for a commit and the options, and shared by all jobs that need it.
/// A checkout holds a `.git` with the history asked for. Hooks and filters are off; LFS and submodules only when asked.
/// Credentials of a URL reach git by a credential helper in its environment.
class GitSource final : public Source {
 public:
  explicit GitSource(std::filesystem::path directory) : directory_(std::move(directory)) {}

  std::string_view kind() const override { return "git"; }
  /// Fetches, unless the revision is a full commit id that the mirror has. An empty revision is the remote's HEAD.
  Result<SourceSpec> pin(const SourceSpec& spec, const os::CallLimit& limit) override;
  Result<Prepared> prepare(const SourceSpec& spec, const os::CallLimit& limit) override;

  /// Removes checkouts that nobody uses and that were last used before `used_before`. How many.
  Result<std::size_t> sweep(Time used_before);

 private:
  std::filesystem::path directory_;
};

}  // namespace slipway::source
