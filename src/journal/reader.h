#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "journal/record.h"
#include "os/fd.h"

namespace slipway::journal {

/// Asks for the last checkpoint for which all that is given holds.
struct CheckpointQuery {
  std::uint64_t before = UINT64_MAX;  ///< its offset is less than this
  std::optional<Time> earlier_than;   ///< its time is
  std::optional<std::uint16_t> step;  ///< at most `most_lines` lines of this step end before it
  std::uint64_t most_lines = 0;
};

/// A journal's bytes by their uncompressed offset, wherever they lie. journal/seal.h opens either kind of file.
class Source {
 public:
  virtual ~Source() = default;
  /// Reads up to `most` bytes; fewer only at the end, 0 at or behind it. Asked again later, a growing file has more.
  virtual Result<std::size_t> read_at(std::uint64_t offset, char* to, std::size_t most) = 0;
  virtual Result<std::uint64_t> size() = 0;
  /// Does it keep an index of its checkpoints?
  virtual bool has_index() const = 0;
  /// Offset of the checkpoint asked for, out of the index; nothing: there is none, start at the beginning.
  virtual std::optional<std::uint64_t> find_checkpoint(const CheckpointQuery& query) const = 0;
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

  /// Without reading what stands in front of it: from the source's index, or from the last checkpoint of the file
  /// backwards along their chain (a small read for each MiB). Nothing: there is none, start at the beginning.
  Result<std::optional<Checkpoint>> find_checkpoint(const CheckpointQuery& query);
  Result<std::uint64_t> size() { return source_->size(); }
  std::uint32_t seed() const { return seed_; }

 private:
  Reader(std::unique_ptr<Source> source, std::uint32_t seed);
  /// The bytes from `offset` on: as many as wanted, or as there are.
  Result<std::string_view> window(std::uint64_t offset, std::size_t want);
  Result<Next> damage_from(std::uint64_t offset);
  struct Resync {
    bool found = false;
    std::uint64_t at = 0;
  };
  Result<Resync> resync(std::uint64_t from);
  /// The record that `bytes` begin with, if all of it is there and its crc is right.
  std::optional<Header> verified(std::string_view bytes) const;
  Result<std::optional<Checkpoint>> checkpoint_at(std::uint64_t offset, Time& time);
  Result<std::optional<std::uint64_t>> search_checkpoint(std::uint64_t before);

  std::unique_ptr<Source> source_;
  std::uint32_t seed_ = 0;
  std::uint64_t position_ = kFileHeaderBytes;
  std::string buffer_;  // its first filled_ bytes are those of the journal from buffer_at_ on
  std::size_t filled_ = 0;
  std::uint64_t buffer_at_ = 0;
};

}  // namespace slipway::journal
