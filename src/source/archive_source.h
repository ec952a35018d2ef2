#pragma once

#include <filesystem>
#include <string>

#include "os/unpack.h"
#include "source/checkout_store.h"
#include "source/fetch_tool.h"
#include "source/source.h"

namespace slipway::source {

/// Archives that were fetched, and the trees in them: shared by the sources that end in an archive.
class ArchiveStore {
 public:
  /// `downloads`: where archives lie until they are unpacked. `unpack_program`: slipway-unpack (os/unpack.h).
  ArchiveStore(std::filesystem::path downloads, std::filesystem::path unpack_program, SizeLimit most,
               const CheckoutStore& checkouts)
      : downloads_(std::move(downloads)),
        unpack_program_(std::move(unpack_program)),
        most_(most),
        checkouts_(checkouts) {}

  /// Writes an archive to a file that does not exist yet, in a directory that it may fill.
  using Fetch = std::function<Result<void>(const std::filesystem::path& file)>;

  /// Fetches, and keeps it by its digest: `sha256:HEX`.
  Result<std::string> take(const Fetch& fetch);
  /// The tree in the archive with that digest; `fetch` is asked for it where it is not here, and must give that one
  /// (`conflict`). An archive whose only top entry is a directory stands for that directory.
  Result<CheckoutStore::Kept> tree(const std::string& digest, const Fetch& fetch, const os::CallLimit& limit);

 private:
  Result<std::string> unpack(const std::string& digest, const std::filesystem::path& directory,
                             const os::CallLimit& limit);

  std::filesystem::path downloads_, unpack_program_;
  SizeLimit most_;
  const CheckoutStore& checkouts_;
};

/// An archive (tar, also with gzip, bzip2, xz, zstd or lz4; zip) by path, `file://`, `http://` or `https://`. Known by
/// its name's ending; `tar+URL` says it of any other. The revision is `sha256:HEX` of the archive, or empty.
class ArchiveSource final : public Source {
 public:
  /// Both references outlive it.
  ArchiveSource(ArchiveStore& archives, Runner& runner) : archives_(archives), runner_(runner) {}

  std::string_view kind() const override { return "tar"; }
  bool takes(const std::string& location) const override;
  Result<SourceSpec> pin(const SourceSpec& spec, const os::CallLimit& limit) override;
  Result<Prepared> prepare(const SourceSpec& spec, const os::CallLimit& limit) override;

 private:
  Result<void> fetch(const std::string& location, const std::filesystem::path& file, const os::CallLimit& limit);

  ArchiveStore& archives_;
  Runner& runner_;
};

}  // namespace slipway::source
