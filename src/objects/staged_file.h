#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "os/call_limit.h"
#include "os/fd.h"

namespace slipway::objects {

/// A file being written, to appear whole under its name or not at all.
/// It is flocked while this object lives, so that a sweep tells it from what a dead process left.
class StagedFile {
 public:
  /// In `directory`, which must be on the file system of its later name.
  static Result<StagedFile> create(const std::filesystem::path& directory, std::uint64_t most_bytes);
  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;
  ~StagedFile();

  int fd() const { return fd_.get(); }

  /// Ends the writing. Where another process still holds a descriptor for writing (or a mapping), what is there is
  /// copied to a file that nobody else has, so the content can no longer change. A reading descriptor at the start.
  enum class Sync { always, never };
  Result<os::Fd> close(Sync sync, const os::CallLimit& limit);
  /// After `close`: gives it its name, over what has that name. With `Sync::always` before, durable on return.
  Result<void> publish(const std::filesystem::path& path);

  /// Removes files in `directory` whose writers are gone.
  static Result<void> sweep(const std::filesystem::path& directory);

 private:
  StagedFile(std::filesystem::path path, os::Fd fd, std::uint64_t most_bytes)
      : path_(std::move(path)), fd_(std::move(fd)), most_bytes_(most_bytes) {}
  Result<void> reopen_for_reading();

  std::filesystem::path path_;
  os::Fd fd_;
  std::uint64_t most_bytes_;
  Sync sync_ = Sync::always;
};

}  // namespace slipway::objects
