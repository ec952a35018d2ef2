#pragma once

#include <filesystem>

#include "objects/objects.h"

namespace slipway::objects {

/// Objects as files: `ROOT/ab/cdef...` (0444), written in `ROOT/staging/` and renamed.
/// A file in staging is flocked by its writer: `sweep` removes those whose writer is gone.
class FileObjects final : public Objects {
 public:
  struct Options {
    enum class Sync { always, never } sync = Sync::always;        ///< `never`: a power cut may lose or damage objects
    enum class Verify { never, on_open } verify = Verify::never;  ///< on_open: about 1 s a GB
  };
  /// Creates `root` where it is missing. One file system, of which it needs the whole directory.
  static Result<std::unique_ptr<FileObjects>> open_at(const std::filesystem::path& root, const Options& options);

  Result<std::unique_ptr<Upload>> begin(std::uint64_t most_bytes) override;
  Result<os::Fd> open(const Digest& digest) override;
  Result<bool> has(const Digest& digest) override;
  Result<void> remove(const Digest& digest) override;
  Result<std::vector<Object>> list() override;
  Result<std::vector<Object>> sweep(const std::set<Digest>& kept, Time put_before) override;

 private:
  FileObjects(std::filesystem::path root, const Options& options) : root_(std::move(root)), options_(options) {}
  std::filesystem::path root_;
  Options options_;
};

}  // namespace slipway::objects
