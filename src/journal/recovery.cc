#include "journal/recovery.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "journal/reader.h"
#include "journal/tail_ring.h"

namespace slipway::journal {
namespace {

struct Scan {
  LineCount lines;
  std::uint64_t last_checkpoint = 0;
  std::uint64_t end = 0;  // behind the last whole record
  bool finished = false;
};

/// Reads from the last checkpoint to the end.
Result<Scan> scan_end(Reader& reader) {
  Scan scan;
  SW_TRY(const auto checkpoint, reader.find_checkpoint({}));
  if (checkpoint) {
    scan.lines = LineCount(*checkpoint);
    scan.last_checkpoint = checkpoint->self;
    reader.seek(checkpoint->self);
  }
  scan.end = reader.position();
  for (;;) {
    SW_TRY(const Next next, reader.next());
    if (next.what == Next::What::end || next.what == Next::What::torn) return scan;
    if (next.what == Next::What::damaged) continue;  // counts only if a record follows: else it is the torn tail
    scan.lines.add(next.record, next.offset);
    scan.finished = scan.finished || next.record.type == RecordType::attempt_finished;
    scan.end = reader.position();
  }
}

/// Brings what the ring holds of a step behind what the journal has of it. Pieces name their place in the step's
/// output, so pieces that init had already appended when it died are not appended twice.
Result<void> append_piece(Writer& writer, const TailRing::Piece& piece) {
  const StepCount* const known = writer.lines().find(piece.record.step);
  const std::uint64_t lost = known == nullptr ? 0 : known->lost;
  const std::uint64_t covered = known == nullptr ? 0 : known->bytes + known->lost;
  Record record = piece.record;
  if (piece.position > covered) {
    const std::string truncation = encode(Truncation{lost + piece.position - covered, 0});
    SW_CHECK(writer.append(RecordType::truncation, record.step, 0, record.time, truncation));
  } else {
    const std::uint64_t there = covered - piece.position;
    if (there >= record.payload.size()) return {};
    record.payload.remove_prefix(there);
  }
  return writer.append(record.type, record.step, record.flags, record.time, record.payload);
}

}  // namespace

Result<Writer::Resumed> Writer::resume(os::Fd file) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "resuming a journal");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < kFileHeaderBytes) {
    if (::ftruncate(file.get(), 0) != 0) return fail_errno(errno, "resuming a journal");
    SW_TRY(Writer fresh, create(std::move(file)));
    return Resumed{std::move(fresh), size, false};
  }
  os::Fd copy(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return fail_errno(errno, "resuming a journal");
  SW_TRY(Reader reader, Reader::open_plain(std::move(copy)));
  SW_TRY(Scan scan, scan_end(reader));
  // Also gives back what was preallocated.
  if (::ftruncate(file.get(), static_cast<off_t>(scan.end)) != 0) return fail_errno(errno, "resuming a journal");
  Writer writer(std::move(file), reader.seed(), scan.end);
  writer.lines_ = std::move(scan.lines);
  writer.last_checkpoint_ = scan.last_checkpoint;
  return Resumed{std::move(writer), size - scan.end, scan.finished};
}

Result<Recovered> recover(os::Fd journal, os::Fd ring) {
  SW_TRY(Writer::Resumed resumed, Writer::resume(std::move(journal)));
  Recovered recovered{std::move(resumed.writer), resumed.cut_bytes, resumed.finished, {}};
  if (recovered.finished) return recovered;
  if (ring) {
    // A ring that is damaged gives what it still has: the journal gets its end all the same.
    Result<void> appended;
    if (auto tail = TailRing::open(std::move(ring))) {
      (void)tail->take({}, [&](const TailRing::Piece& piece) {
        appended = append_piece(recovered.writer, piece);
        return appended;
      });
    }
    SW_CHECK(appended);
  }
  for (const StepCount& step : recovered.writer.lines().steps()) {
    if (step.running) recovered.open_steps.push_back(step.step);
  }
  SW_CHECK(recovered.writer.flush());
  return recovered;
}

Result<void> finish_after_loss(os::Fd journal, os::Fd ring, Time now, std::string_view attempt_finished) {
  SW_TRY(Recovered recovered, recover(std::move(journal), std::move(ring)));
  if (!recovered.finished) {
    SW_CHECK(recovered.writer.append(RecordType::attempt_finished, kNoStep, 0, now, attempt_finished));
  }
  SW_CHECK(recovered.writer.sync());
  return recovered.writer.close();
}

}  // namespace slipway::journal
