#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "journal/line_count.h"
#include "journal/record.h"
#include "os/fd.h"

namespace slipway::journal {

/// Appends records to a journal. One writer a file, one thread a writer. The file only grows.
///
/// Small records gather in a buffer of kBatchBytes until `flush`; a large payload goes out at once with what was
/// gathered, in one pwritev and without being copied. Checkpoints are written without being asked for.
///
/// A full disk: kReserveBytes behind the end are always preallocated where the file system can. When that fails,
/// output is refused (`exhausted`), truncation records and samples may use half of the reserve and all others the rest
/// of it; every second (by the records' time) the writer tries again. A refused record leaves no trace in the file.
class Writer {
 public:
  static constexpr std::size_t kBatchBytes = 64U << 10U;
  static constexpr std::size_t kReserveBytes = 256U << 10U;

  /// Starts a journal in an empty file. `file` is open for writing (and for reading, if it is to be read here).
  static Result<Writer> create(os::Fd file);

  /// Goes on behind the last whole record of a journal whose writer is gone; a torn tail is cut (recovery.h).
  struct Resumed;
  static Result<Resumed> resume(os::Fd file);

  Writer(Writer&&) noexcept = default;
  Writer& operator=(Writer&&) noexcept = default;

  /// `invalid`: longer than kMaxPayload; `exhausted`: see above; anything else: the file is broken, and nothing
  /// more is accepted.
  Result<void> append(RecordType type, std::uint16_t step, std::uint8_t flags, Time time, std::string_view payload);

  /// Would output of this size be accepted now?
  bool has_room(std::size_t output_bytes, Time time);

  /// What was appended is in the file (a reader sees it).
  Result<void> flush();
  /// ... and on the disk.
  Result<void> sync();
  /// Flushes and gives the preallocated space back. The writer accepts nothing afterwards.
  Result<void> close();
  /// ... with everything on the disk: one wait where `sync` and `close` would be two.
  Result<void> close_on_disk();

  /// The length of the file: what a reader can see. Grows by flush or a large append.
  std::uint64_t offset() const { return written_; }
  /// ... once flushed.
  std::uint64_t end() const { return written_ + batch_.size(); }
  const LineCount& lines() const { return lines_; }
  int fd() const { return file_.get(); }

 private:
  Writer(os::Fd file, std::uint32_t seed, std::uint64_t at);
  Result<void> put(const Header& header, std::string_view payload);
  Result<void> checkpoint(Time time);
  bool reserve(std::uint64_t bytes, std::uint64_t leave, Time time);
  bool preallocate(std::uint64_t upto);
  Result<void> write_out(std::string_view payload, std::string_view trailer);
  Result<void> trim();

  os::Fd file_;
  std::uint32_t seed_ = 0;
  std::string batch_;
  LineCount lines_;
  std::uint64_t written_ = 0;
  std::uint64_t reserved_ = 0;                                    // preallocated up to here
  std::uint64_t last_checkpoint_ = 0;                             // offset; 0: none yet
  std::uint64_t since_ = 0;                                       // where counting towards the next checkpoint began
  Time retry_at_{};                                               // disk is full: next try to get space
  enum class Space { fine, full, unknown } space_ = Space::fine;  // unknown: nothing can be preallocated here
  bool broken_ = false;
};

/// What `resume` found.
struct Writer::Resumed {
  Writer writer;
  std::uint64_t cut_bytes = 0;  ///< of a torn tail
  bool finished = false;        ///< `attempt_finished` is there already
};

}  // namespace slipway::journal
