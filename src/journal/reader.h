#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "journal/record.h"
#include "os/fd.h"

namespace slipway::journal {

/// A journal's bytes by their uncompressed offset, wherever they lie. journal/seal.h opens either kind of file.
class Source {
 public:
  virtual ~Source() = default;
  /// Reads up to `most` bytes; fewer only at the end, 0 at or behind it. Asked again later, a growing file has more.
  virtual Result<std::size_t> read_at(std::uint64_t offset, char* to, std::size_t most) = 0;
  virtual Result<std::uint64_t> size() = 0;
  /// Offset of the last checkpoint before `offset`, if the source keeps an index of them.
  virtual std::optional<std::uint64_t> checkpoint_before(std::uint64_t offset) const = 0;
};

/// An unsealed journal, which may still grow.
std::unique_ptr<Source> plain_source(os::Fd file);

/// One step of reading.
struct Next {
  enum class What {
    record,
    end,      ///< nothing behind the last record: ask again when the file has grown
    torn,     ///< the last record is incomplete: not yet there, or never (its writer died)
    damaged,  ///< `lost` bytes from `offset` on are no records; the next call goes on behind them
  };
  What what = What::end;
  std::uint64_t offset = 0;  ///< where this record (end, damage) begins
  Record record;             ///< valid until the next call
  std::uint64_t lost = 0;
};

/// Reads records in order, from any record's offset. Memory: at most two records.
class Reader {
 public:
  /// `invalid` when it is not a journal; `unavailable` when not even its header is written yet.
  static Result<Reader> open(std::unique_ptr<Source> source);
  static Result<Reader> open_plain(os::Fd file) { return open(plain_source(std::move(file))); }

  /// An error is one of the file system; damage is not an error.
  Result<Next> next();

  /// Offset of what `next` will read: the token with which to go on later.
  std::uint64_t position() const { return position_; }
  /// `offset` must be one that a reader gave (0: the start); else the next call reports damage.
  void seek(std::uint64_t offset);

  /// The last checkpoint before `offset` that verifies, found in constant work: what stands in front of it need not
  /// be read. Nothing: start at the beginning.
  Result<std::optional<Checkpoint>> checkpoint_before(std::uint64_t offset);
  /// The checkpoint at this very offset, as `Checkpoint::previous` names it; nothing if there is none that verifies.
  /// Its time goes to `time` unless null.
  Result<std::optional<Checkpoint>> checkpoint_at(std::uint64_t offset, Time* time);
  Result<std::uint64_t> size() { return source_->size(); }
  std::uint32_t seed() const { return seed_; }

 private:
  Reader(std::unique_ptr<Source> source, std::uint32_t seed);
  /// The bytes from `offset` on: as many as wanted, or as there are.
  Result<std::string_view> window(std::uint64_t offset, std::size_t want);
  Result<std::uint64_t> resync(std::uint64_t from);
  bool verifies(std::string_view bytes) const;

  std::unique_ptr<Source> source_;
  std::uint32_t seed_ = 0;
  std::uint64_t position_ = kFileHeaderBytes;
  std::string buffer_;
  std::uint64_t buffer_at_ = 0;
};

}  // namespace slipway::journal
