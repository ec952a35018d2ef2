#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "os/call_limit.h"
#include "os/file_lock.h"
#include "sandbox/rootfs/image_record.h"
#include "sandbox/rootfs/reference.h"
#include "sandbox/sandbox.h"

namespace slipway::sandbox::rootfs {

struct StoreOptions {
  std::filesystem::path directory;       ///< STATE/images
  std::filesystem::path unpack_program;  ///< slipway-unpack
  std::string owners;                    ///< how layers' owners lie on the disk: layers of two kinds are never mixed
  Pull pull = Pull::missing;
  std::uint64_t most_bytes = 0;  ///< of all images together; the least recently used go first
};

/// An image that is ready. While it lives, nobody removes any of it.
struct ReadyImage {
  ImageFacts facts;
  std::vector<std::string> layers;  ///< directories, the topmost first
  os::FileLock in_use;
};

struct ListedImage {
  std::string id;
  std::vector<std::pair<std::string, std::string>> names;  ///< with the digest each had
  std::uint64_t bytes = 0;  ///< of its layers, shared ones included, and as they were fetched
  std::size_t layers = 0;
  Time last_used{};
  bool in_use = false;
};

/// The images of one state directory, shared by all its processes:
///   blobs/sha256/HEX    as fetched, by digest
///   layers-OWNERS/HEX/  one a diff id, whoever has it: `root/` unpacked with overlayfs' whiteouts, `bytes`
///   records/HEX.json    one an image, by the digest of its configuration; HEX.lock: held by who uses it; its time is
///                       that of the last use
///   names.json          what names meant
///   lock                shared: somebody adds; exclusive: somebody removes
/// What is not named by a record is garbage. Any thread, any process.
class ImageStore {
 public:
  static Result<ImageStore> open(StoreOptions options);

  Result<ReadyImage> prepare(const ImageReference& reference, const ImageProgress& progress,
                             const os::CallLimit& limit) const;

  /// What is known of `reference` without any network: the pinned name. No value: nothing.
  std::optional<std::string> known(const ImageReference& reference) const;

  Result<std::vector<ListedImage>> list() const;
  struct Removed {
    std::vector<ListedImage> images;
    std::uint64_t freed_bytes = 0;
  };
  /// Removes one image by name, id or the id's beginning. `conflict`: a run uses it. `not_found`.
  Result<Removed> remove(const std::string& which, const os::CallLimit& limit) const;
  /// Removes the least recently used until at most `most_bytes` are left, and all garbage. Never what is in use.
  Result<Removed> prune(std::uint64_t most_bytes, const os::CallLimit& limit) const;

 private:
  explicit ImageStore(StoreOptions options) : options_(std::move(options)) {}

  std::filesystem::path path(std::string_view name) const { return options_.directory / name; }
  std::filesystem::path record_path(std::string_view id) const;
  std::filesystem::path lock_path(std::string_view id) const;
  std::filesystem::path blob_path(std::string_view digest) const;
  std::filesystem::path layers_dir() const { return path("layers-" + options_.owners); }
  std::filesystem::path layer_path(std::string_view diff) const;

  KnownNames names() const;
  Result<void> remember(const std::vector<std::string>& texts, const KnownName& known,
                        const os::CallLimit& limit) const;
  Result<ImageRecord> record(std::string_view id) const;
  bool is_whole(const ImageRecord& record) const;
  std::optional<KnownName> find(const ImageReference& reference) const;
  Result<KnownName> fetch(const ImageReference& reference, const ImageReference& exact, std::uint64_t size,
                          const ImageProgress& progress, const os::CallLimit& limit) const;
  Result<void> unpack_missing(const ImageRecord& record, const std::string& text, const ImageProgress& progress,
                              const os::CallLimit& limit) const;
  Result<ReadyImage> use(const ImageReference& reference, const KnownName& known) const;
  Result<Removed> collect(std::uint64_t most_bytes, const os::CallLimit& limit) const;
  Result<std::uint64_t> remove_garbage(const os::CallLimit& limit) const;
  Result<bool> forget(const std::string& id) const;
  std::uint64_t bytes_of(const ImageRecord& record) const;
  std::uint64_t total_bytes() const;

  StoreOptions options_;
};

}  // namespace slipway::sandbox::rootfs
