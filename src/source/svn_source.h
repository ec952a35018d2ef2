#pragma once

#include "source/checkout_store.h"
#include "source/runner.h"
#include "source/source.h"

namespace slipway::source {

/// Subversion: `svn://`, `svn+ssh://`, `svn+https://`, `svn+file://`; a URL names a directory of a repository
/// (`.../trunk`). Revision: `123`, `r123`, or none for the newest; pinned to the revision that last changed that
/// directory, `r120`. A checkout is its files (`svn export`); externals are left out; nothing of the user's Subversion
/// configuration is read.
class SvnSource final : public Source {
 public:
  /// Both references outlive it.
  SvnSource(const CheckoutStore& checkouts, Runner& runner) : checkouts_(checkouts), runner_(runner) {}

  std::string_view kind() const override { return "svn"; }
  bool takes(const std::string& location) const override;
  Result<SourceSpec> pin(const SourceSpec& spec, const os::CallLimit& limit) override;
  Result<Prepared> prepare(const SourceSpec& spec, const os::CallLimit& limit) override;

 private:
  const CheckoutStore& checkouts_;
  Runner& runner_;
};

}  // namespace slipway::source
