#pragma once

#include <filesystem>

#include "source/checkout_store.h"
#include "source/runner.h"
#include "source/source.h"

namespace slipway::source {

/// Git repositories, by URL (`https://`, `ssh://`, `user@host:path`, `git://`, `file://`) or by path; `git+` before a
/// URL means the same.
///
/// One mirror a URL in `mirrors` (git_mirror.h; a path needs none), one checkout for a commit and the options, made
/// once and shared by all jobs that need it. A checkout holds a `.git` with the history asked for, its objects linked
/// from the mirror. Hooks and filters are off; LFS and submodules only when asked. All of git's work goes through the
/// Runner: fetches see the mirror and the network, checkouts see neither.
class GitSource final : public Source {
 public:
  /// Both references outlive it.
  GitSource(std::filesystem::path mirrors, const CheckoutStore& checkouts, Runner& runner)
      : mirrors_(std::move(mirrors)), checkouts_(checkouts), runner_(runner) {}

  std::string_view kind() const override { return "git"; }
  /// Fetches, unless the revision is a full commit id that the mirror has. An empty revision is the remote's HEAD.
  Result<SourceSpec> pin(const SourceSpec& spec, const os::CallLimit& limit) override;
  Result<Prepared> prepare(const SourceSpec& spec, const os::CallLimit& limit) override;

 private:
  std::filesystem::path mirrors_;
  const CheckoutStore& checkouts_;
  Runner& runner_;
};

}  // namespace slipway::source
