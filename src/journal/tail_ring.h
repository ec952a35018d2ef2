#pragma once

#include <cstdint>
#include <functional>
#include <optional>
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
/// u32 crc32c of these 32; the data begins at 4,096: entries that look like records (record.h; crc from 0) whose
/// payload is u64 position and the bytes. They may go round the end of the file; type 0: taken. An entry is written
/// before the header that makes it count, and the header leaves an entry out before it is overwritten.
class TailRing {
 public:
  /// `file`: empty, open for reading and writing. Space is taken at the first `push`.
  static Result<TailRing> create(os::Fd file, std::uint64_t capacity);
  /// A ring whose writer is gone. `not_found` for an empty file: nothing was ever pushed.
  static Result<TailRing> open(os::Fd file);

  /// A piece of output; `position`: bytes its step had printed before it.
  struct Piece {
    Record record;
    std::uint64_t position = 0;
  };
  using Visit = std::function<Result<void>(const Piece&)>;

  /// Keeps a piece; calls `lost(step, bytes)` for each older one that has to go, or for this one if it is longer
  /// than most_bytes() or cannot be written.
  void push(const Piece& piece, const std::function<void(std::uint16_t step, std::uint64_t bytes)>& lost);
  /// Visits the pieces of `step` (nothing: of all), oldest first, and forgets them. The first error of a visit, or
  /// `internal` for a damaged ring, ends it; nothing is forgotten then.
  Result<void> take(std::optional<std::uint16_t> step, const Visit& visit);

  /// Visits all pieces, oldest first, and keeps them.
  Result<void> look(const Visit& visit) const;

  /// Longest piece: an eighth of the ring, at most 64 KiB, so that little is lost with the oldest.
  std::size_t most_bytes() const;
  std::uint64_t capacity() const { return capacity_; }

 private:
  TailRing(os::Fd file, std::uint64_t capacity);
  Result<void> write_header();
  Result<void> write_at(std::uint64_t position, std::string_view bytes);
  Result<void> read_at(std::uint64_t position, char* to, std::size_t bytes) const;
  Result<Header> read_header(std::uint64_t at) const;
  Result<Piece> read_piece(std::uint64_t at, const Header& header, std::string& buffer) const;
  bool make_room(std::uint64_t bytes, const std::function<void(std::uint16_t, std::uint64_t)>& lost);
  bool allocate();

  os::Fd file_;
  std::uint64_t capacity_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t head_ = 0;
  enum class Space { unused, ready, none } space_ = Space::unused;
};

}  // namespace slipway::journal
