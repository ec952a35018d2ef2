#pragma once

#include <vector>

#include "source/archive_source.h"
#include "source/s3_request.h"
#include "source/source.h"

namespace slipway::source {

/// S3-compatible storage: `s3://BUCKET/PREFIX` is the tree of all objects below PREFIX; a key with an archive's ending
/// is that archive. Endpoint, region and credentials as other S3 clients find them (s3_request.h).
///
/// Pinned to `etag:ETAG` of an object, and to `list:HEX` of a tree: a digest over keys, ETags and sizes. Objects that
/// changed since are a `conflict`, never a mixture.
class S3Source final : public Source {
 public:
  using FindAccount = std::function<S3Account()>;
  /// All outlive it. `account` is asked at each use: credentials may change.
  S3Source(FindAccount account, ArchiveStore& archives, const CheckoutStore& checkouts, Runner& runner, SizeLimit most)
      : account_(std::move(account)), archives_(archives), checkouts_(checkouts), runner_(runner), most_(most) {}

  std::string_view kind() const override { return "s3"; }
  bool takes(const std::string& location) const override { return location.starts_with("s3://"); }
  Result<SourceSpec> pin(const SourceSpec& spec, const os::CallLimit& limit) override;
  Result<Prepared> prepare(const SourceSpec& spec, const os::CallLimit& limit) override;

 private:
  struct Download {
    S3Request request;
    std::filesystem::path file;
  };
  Result<std::string> ask(const S3Request& request, const os::CallLimit& limit);
  Result<std::string> etag_of(const std::string& bucket, const std::string& key, const os::CallLimit& limit);
  Result<std::vector<S3Object>> list(const std::string& bucket, const std::string& prefix, const os::CallLimit& limit);
  Result<void> download(const std::vector<Download>& all, const std::filesystem::path& below,
                        const os::CallLimit& limit);
  Result<void> download_tree(const std::string& bucket, const std::string& prefix, const std::vector<S3Object>& objects,
                             const std::filesystem::path& directory, const os::CallLimit& limit);

  FindAccount account_;
  ArchiveStore& archives_;
  const CheckoutStore& checkouts_;
  Runner& runner_;
  SizeLimit most_;
};

}  // namespace slipway::source
