#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"

/// Archives that strangers made, unpacked by a program of its own (`slipway-unpack`, beside slipway-init): it reads
/// them with libarchive, whose loading costs milliseconds and whose bugs are then confined. It sees nothing of the
/// machine but the directory that it fills, has no network, and no power but over owners and modes there.
///
/// What is refused, in every archive: absolute names (in a layer they are the image's own), `..`, names that lead
/// through a link, hard links to anything but what the archive itself has put there, archives that are encrypted or
/// broken, more than the limits below. A name that comes twice: the later one holds.
namespace slipway::os {

struct UnpackOrder {
  enum class Content {
    /// A source tree: tar (plain, gz, bz2, xz, zstd, lz4), zip. All belongs to the caller; set-uid, set-gid and
    /// sticky bits are dropped; links that lead out of the tree, devices, FIFOs and sockets are refused.
    source,
    /// A layer of an image: tar (plain, gz, zstd, ...). Owners, modes, links as they are; whiteouts become those of
    /// overlayfs; devices and sockets are left out; of extended attributes only security.capability and user.* that
    /// no overlay reads are kept. Rootless, owners become the caller's subordinate ids as sandboxes map them.
    layer,
  } content = Content::source;
  std::uint32_t strip = 0;                  ///< leading parts of every name that are dropped, as tar --strip-components
  std::uint64_t most_bytes = 10ULL << 30U;  ///< of all files together
  std::uint64_t most_entries = 1'000'000;
  std::uint32_t most_ratio = 250;  ///< bytes unpacked for one read, once 256 MiB are unpacked
  bool digest = false;             ///< wanted: `Unpacked::digest`
};

struct Unpacked {
  std::uint64_t entries = 0, bytes = 0;
  std::uint64_t left_out = 0;       ///< devices and sockets of a layer
  std::string digest;               ///< `sha256:...` of the archive without its compression
  std::vector<std::string> opaque;  ///< directories of a layer that hide those below them (already marked so)
};

/// Unpacks what `archive` (a file or a pipe) holds into `directory`, which exists and is empty, with the program at
/// `program`. After an error, what is in `directory` is good for nothing.
/// Errors: `invalid` (the archive), `exhausted` (a limit), `unavailable` (the program is missing), and the call's own.
Result<Unpacked> unpack(const std::filesystem::path& program, int archive, const std::filesystem::path& directory,
                        const UnpackOrder& order, const CallLimit& limit);

/// Removes a tree that a layer was unpacked to: rootless, its files belong to ids that only a user namespace reaches.
Result<void> remove_unpacked(const std::filesystem::path& program, const std::filesystem::path& directory,
                             const CallLimit& limit);

}  // namespace slipway::os
