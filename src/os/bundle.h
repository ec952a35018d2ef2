#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"

/// A bundle: regular files, directories and links in one stream, for what passes between a sandbox and its host
/// (artifacts, caches). Both sides treat the other's tree and stream as hostile.
///
/// Stream: 8 bytes magic `SLIPBND1`, then entries, then an `end` entry. Integers little endian.
///   u8 kind (1 file, 2 directory, 3 symbolic link, 0 end) · u8 0 · u16 mode (0777 bits) · u32 path length ·
///   u64 size (file: bytes; link: length of the target) · i64 mtime µs · path · content · u32 crc32c of all of it
/// Entries ascend by path, compared a part at a time: a reader sees a duplicate without remembering any path.
/// Rejected: tar. Its headers carry owners, devices and hard links, which a reader must then refuse one by one.
namespace slipway::os {

struct BundleLimits {
  std::uint64_t bytes = 20ULL << 30U;  ///< of contents, each file at its whole size; for packing of the stream
  std::uint64_t files = 1'000'000;
};

struct BundleReport {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> refused;  ///< paths not taken and why (links that leave, FIFOs, devices); at most 100
};

enum class Links {
  refuse,  ///< artifacts: no links at all
  inside,  ///< caches: relative links that stay within the bundle's roots
  kept,    ///< a source tree for a sandbox: every link as it is; what follows them is in there too
};

/// Packs what matches `globs` (relative to `root_fd`, or absolute when `root_fd` is of `/`) into `out_fd`.
/// A pattern that names a directory takes all below it, `!pattern` leaves out again; of several the last decides.
/// Paths in the bundle are relative to `root_fd`. Nothing is opened through a link, and a mount is entered only where
/// a pattern names it or a place in it without wildcards (`/job/src/out`, but not `/job/**`).
/// What `is_secret` says of a path is refused, with all below it.
/// Errors: `exhausted` over a limit; `not_found` when nothing matched; `invalid` for a pattern with `..`.
using IsSecret = std::function<bool(std::string_view path)>;
Result<BundleReport> pack(int root_fd, const std::vector<std::string>& globs, int out_fd, Links links,
                          const BundleLimits& limits, IsSecret is_secret = {});

/// Whose word the files are.
enum class Origin {
  any,
  stranger,  ///< no `.git`: git runs what its configuration names as whoever stands there
};

/// Unpacks below `target_fd`, overwriting files, never through a link, never outside. What may not be is in `refused`.
/// `invalid`: broken stream; `conflict`: a file where a directory has to be, or the reverse. After an error a part is
/// there: the caller discards it.
Result<BundleReport> unpack(int in_fd, int target_fd, Links links, const BundleLimits& limits,
                            Origin origin = Origin::any);

/// The files and links without unpacking: path and size, in order. Reads and checks the whole stream.
struct BundleEntry {
  std::string path;
  std::uint64_t size = 0;
};
Result<std::vector<BundleEntry>> list_bundle(int in_fd, const BundleLimits& limits);

}  // namespace slipway::os
