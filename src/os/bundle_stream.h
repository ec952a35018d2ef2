#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

/// The stream of os/bundle.h, entry by entry. For pack, unpack, list_bundle, and who reads contents without unpacking.
namespace slipway::os {

struct EntryHeader {
  enum class Kind : std::uint8_t { end = 0, file = 1, directory = 2, link = 3 } kind = Kind::end;
  std::uint16_t mode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_micros = 0;
  std::string path;
};

/// Is `path` one that a bundle may hold: relative, no `.`, `..` or empty part, no NUL, within the kernel's lengths?
bool is_bundle_path(std::string_view path);

/// May a link at `path` point to `target`? Only to places below the first `depth_of_root` parts of its own path:
/// relative, and with `..` only in front. (`a/../b` may leave by way of another link; leading `..` climb real
/// directories.)
bool stays_inside(std::string_view path, std::string_view target, std::size_t depth_of_root);

/// The order of entries: by path, a part at a time.
bool comes_before(std::string_view left, std::string_view right);

/// Buffers what it writes; `finish` writes the end entry and the rest.
class EntryWriter {
 public:
  explicit EntryWriter(int fd);
  Result<void> begin();
  Result<void> open_entry(const EntryHeader& header);
  Result<void> content(std::string_view bytes);
  Result<void> close_entry();
  Result<void> finish();

 private:
  Result<void> put(std::string_view bytes);
  Result<void> flush();
  int fd_;
  std::uint32_t crc_ = 0;
  std::string buffer_;
};

/// Errors are `invalid` for everything that `EntryWriter` does not write.
class EntryReader {
 public:
  explicit EntryReader(int fd);
  Result<void> begin();
  /// The next entry, checked, with its path after that of the one before. Kind `end`: the stream is whole.
  Result<EntryHeader> next();
  /// Up to 256 KiB more of the entry's content, valid until the next call; empty at its end.
  Result<std::string_view> content();
  /// After the last content: compares the checksum.
  Result<void> close_entry();

 private:
  Result<void> take(void* bytes, std::size_t size);
  Result<void> fill();
  int fd_;
  std::uint32_t crc_ = 0;
  std::uint64_t left_ = 0;
  std::string last_path_;
  std::unique_ptr<char[]> buffer_;
  std::size_t from_ = 0, until_ = 0;
};

}  // namespace slipway::os
