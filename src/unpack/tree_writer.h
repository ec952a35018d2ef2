#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "os/fd.h"

namespace slipway::unpack {

/// One thing that an archive wants to be made. Nothing of it can be trusted.
struct Entry {
  enum class Kind { file, directory, symlink, hardlink, device, fifo, other } kind = Kind::file;
  std::string name;
  std::string link;  ///< of a symlink: its text; of a hardlink: the name in the archive
  mode_t mode = 0644;
  std::uint32_t user = 0, group = 0;
  std::int64_t seconds = 0;
  long nanoseconds = 0;
  std::vector<std::pair<std::string, std::string>> attributes;  ///< extended
};

/// How owners in an archive become owners on the disk.
enum class Owners {
  as_written,   ///< root of the machine
  range,        ///< sandbox/native/identity.h, Kind::range, seen from the namespace in which the caller is root
  all_callers,  ///< one id is all there is, or it is source
};

struct Policy {
  enum class Content { source, layer } content = Content::source;
  Owners owners = Owners::all_callers;
  std::uint32_t strip = 0;
  std::uint64_t most_bytes = 0, most_entries = 0;
  bool mark_opaque = false;  ///< with user.overlay.opaque; else `opaque()` is for somebody with more power
};

/// Makes entries below one directory and nowhere else, however their names and what is already there look: each
/// parent is opened by openat2 BENEATH | NO_SYMLINKS, each last part by calls that follow no link.
class TreeWriter {
 public:
  TreeWriter(os::Fd root, Policy policy) : root_(std::move(root)), policy_(policy) {}

  /// Makes it. A file comes back open, to be written by `write` and given to `finish`; all else as no descriptor.
  Result<os::Fd> make(const Entry& entry);
  Result<void> write(int file, std::string_view bytes, std::uint64_t offset);
  Result<void> finish(int file, const Entry& entry);
  /// When all entries are made: what is written into a directory changes its time, and its mode may forbid writing.
  Result<void> close();

  std::uint64_t entries() const { return entries_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t left_out() const { return left_out_; }
  const std::vector<std::string>& opaque() const { return opaque_; }

 private:
  struct Place {
    os::Fd parent;
    std::string last;  ///< empty: the root itself
    std::string path;
  };
  struct Directory {
    std::string path;
    mode_t mode;
    std::int64_t seconds;
    long nanoseconds;
  };

  Result<std::string> clean(std::string_view name) const;
  Result<Place> place_of(const std::string& path);
  Result<os::Fd> open_directory(const std::string& path) const;
  Result<os::Fd> open_or_make_parents(const std::string& path);
  Result<void> make_way(const Place& place) const;
  Result<void> make_whiteout(const Place& place, std::string_view hidden);
  Result<void> make_opaque(const std::string& path);
  Result<void> make_directory(const Place& place, const Entry& entry);
  Result<void> make_symlink(const Place& place, const Entry& entry);
  Result<void> make_hardlink(const Place& place, const Entry& entry);
  Result<os::Fd> make_file(const Place& place);
  Result<void> give(int fd, const Entry& entry) const;
  std::uint32_t owner_of(std::uint32_t inside) const;
  bool layer() const { return policy_.content == Policy::Content::layer; }

  os::Fd root_;
  const Policy policy_;
  std::uint64_t entries_ = 0, bytes_ = 0, left_out_ = 0;
  std::vector<Directory> directories_;
  std::vector<std::string> opaque_;
  std::string parent_path_;  // of parent_: archives list a directory's files one after another
  os::Fd parent_;
};

}  // namespace slipway::unpack
