#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "journal/reader.h"
#include "os/call_limit.h"

namespace slipway::journal {

/// Sealed journals: zstd frames, each beginning at a checkpoint (so 1 MiB and a record long), then one skippable
/// frame with the index. `zstd -dc FILE` gives the journal back, damage and torn tail included; offsets are those of
/// the unsealed file everywhere.
///   index: per frame u64 uncompressed offset, u64 compressed offset, i64 time of the checkpoint (0: the first
///          frame, which has none), u32 n, then n times u16 step, u64 lines of it that end before this frame, of
///          the steps for which that is not what the frame before says
///   footer (32 bytes): u64 index bytes, u64 uncompressed bytes, u32 frames, u32 crc32c of the index and these 20,
///          8 bytes magic `SLIPIDX1`
inline constexpr std::string_view kSealedSuffix = ".zst";

struct Sealed {
  std::uint64_t bytes = 0;             ///< of the journal
  std::uint64_t compressed_bytes = 0;  ///< of the sealed file
};

/// Compresses `journal` to `journal` + `.zst`, written beside (`.zst.part`) and renamed when on the disk, then removes
/// `journal`. One caller a journal; doing it again, also after a crash, finishes the job. Level 1, about 10 MiB; for
/// a background thread: `limit` is asked between frames, and a stopped call leaves the journal as it was.
Result<Sealed> seal(const std::filesystem::path& journal, const os::CallLimit& limit);

/// Opens `journal` or, if it is sealed, `journal` + `.zst`. Follow with Reader::open.
Result<std::unique_ptr<Source>> open_source(const std::filesystem::path& journal);
Result<Reader> open_reader(const std::filesystem::path& journal);

/// A sealed file alone. One frame is decompressed for any range within it; the last one is kept.
Result<std::unique_ptr<Source>> sealed_source(os::Fd file);

}  // namespace slipway::journal
