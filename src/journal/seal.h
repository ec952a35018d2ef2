#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "journal/reader.h"
#include "os/call_limit.h"

namespace slipway::journal {

/// Sealed journals: zstd frames, each beginning at a checkpoint (so about 1 MiB, at most 2 MiB + one record), then
/// one skippable frame with the index. `zstd -dc FILE` gives the journal back; offsets are those of the unsealed
/// file everywhere.
///   index: per frame u64 uncompressed offset, u64 compressed offset, i64 time of its first record,
///          u32 n, then n times u16 step, u64 lines of that step before this frame (steps that are running)
///   footer (32 bytes): u64 index bytes, u64 uncompressed bytes, u32 frames, u32 crc32c of index and these 20,
///          8 bytes magic `SLIPIDX1`
inline constexpr std::string_view kSealedSuffix = ".zst";

struct Sealed {
  std::uint64_t bytes = 0;             ///< of the journal
  std::uint64_t compressed_bytes = 0;  ///< of the sealed file
};

/// Compresses `journal` to `journal` + `.zst`, written beside and renamed when on the disk, then removes `journal`.
/// Doing it again after a crash finishes the job. One thread, level 1, about 20 MiB; for a background thread:
/// `limit` is asked between frames, and a stopped call leaves the journal as it was.
Result<Sealed> seal(const std::filesystem::path& journal, const os::CallLimit& limit);

/// Opens `journal` or, if it is sealed, `journal` + `.zst`. Follow with Reader::open.
Result<std::unique_ptr<Source>> open_source(const std::filesystem::path& journal);
Result<Reader> open_reader(const std::filesystem::path& journal);

/// A sealed file alone. One frame is decompressed for any range within it; the last one is kept.
Result<std::unique_ptr<Source>> sealed_source(os::Fd file);

}  // namespace slipway::journal
