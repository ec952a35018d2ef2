#pragma once

#include <filesystem>

#include "source/checkout_store.h"
#include "source/runner.h"
#include "source/source.h"

namespace slipway::source {

/// Mercurial repositories: `hg+https://`, `hg+ssh://`, `hg+file://`, or with `kind: hg` any URL or path that hg takes.
///
/// One mirror a URL (`HASH.hg`, pulled under a lock, made anew where hg cannot read it); a checkout is that node's
/// files, without history. Pinned to the full node id. No extensions, hooks or settings of the user or the repository;
/// subrepositories are left out.
class HgSource final : public Source {
 public:
  /// Both references outlive it.
  HgSource(std::filesystem::path mirrors, const CheckoutStore& checkouts, Runner& runner)
      : mirrors_(std::move(mirrors)), checkouts_(checkouts), runner_(runner) {}

  std::string_view kind() const override { return "hg"; }
  bool takes(const std::string& location) const override;
  Result<SourceSpec> pin(const SourceSpec& spec, const os::CallLimit& limit) override;
  Result<Prepared> prepare(const SourceSpec& spec, const os::CallLimit& limit) override;

 private:
  Result<SourceSpec> find(const SourceSpec& spec, const std::filesystem::path& mirror, const os::CallLimit& limit);
  Result<std::string> pull(const std::string& location, const std::filesystem::path& mirror,
                           const os::CallLimit& limit);
  Result<std::string> clone(const std::string& location, const std::filesystem::path& mirror,
                            const os::CallLimit& limit);

  std::filesystem::path mirrors_;
  const CheckoutStore& checkouts_;
  Runner& runner_;
};

}  // namespace slipway::source
