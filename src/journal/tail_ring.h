#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "journal/record.h"
#include "os/fd.h"

namespace slipway::journal {

/// The last output of steps that went past their head: a file of fixed size, the oldest pieces overwritten. It
/// outlives its writer, so that the host can append it to the journal of an init that died.
///
/// File: 8 bytes magic `SLIPRNG1`, u64 capacity, u64 tail, u64 head (bytes ever written, so head - tail are held),
/// u32 crc32c of these 32; the data begins at 4,096: entries that look like records (record.h; crc from 0), and may
/// go round the end of the file. An entry is written before the header that makes it count.
class TailRing {
 public:
  /// `file`: empty, open for reading and writing. Space is taken at the first `push`.
  static Result<TailRing> create(os::Fd file, std::uint64_t capacity);
  /// A ring whose writer is gone. `not_found` for an empty file: nothing was ever pushed.
  static Result<TailRing> open(os::Fd file);

  using Lost = std::function<void(const Record&)>;
  using Visit = std::function<Result<void>(const Record&)>;

  /// Keeps one piece of output; calls `lost` for each older piece that has to go, or for this one if it is longer
  /// than half the ring or the disk is full.
  void push(const Record& record, const Lost& lost);
  /// Visits the pieces of `step` (kNoStep: of all), oldest first, and forgets them. Damage ends the visit: `internal`.
  Result<void> take(std::uint16_t step, const Visit& visit);

  std::uint64_t capacity() const { return capacity_; }

 private:
  TailRing(os::Fd file, std::uint64_t capacity);
  Result<void> write_header();
  Result<void> write_at(std::uint64_t position, std::string_view bytes);
  Result<void> read_at(std::uint64_t position, char* to, std::size_t bytes) const;
  /// The entry at `position`; its payload lies in `buffer`.
  Result<Record> read_entry(std::uint64_t position, std::string& buffer) const;

  os::Fd file_;
  std::uint64_t capacity_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t head_ = 0;
  bool allocated_ = false;
};

}  // namespace slipway::journal
