#include "journal/writer.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "os/files.h"

namespace slipway::journal {
namespace {

constexpr std::size_t kCopiedPayload = 16U << 10U;  // up to this size a payload is cheaper to copy than to write
constexpr std::uint64_t kMostGrowth = 4U << 20U;    // preallocated at once
constexpr Duration kRetryFullDisk = std::chrono::seconds(1);

bool is_full(int error_number) { return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG; }

/// How much of the reserve has to be left when a record of this type is written.
std::uint64_t must_leave(RecordType type) {
  if (is_output(type)) return Writer::kReserveBytes;
  const bool repeated = type == RecordType::truncation || type == RecordType::resource_sample;
  return repeated ? Writer::kReserveBytes / 2 : 0;
}

}  // namespace

Writer::Writer(os::Fd file, std::uint32_t seed, std::uint64_t at)
    : file_(std::move(file)), seed_(seed), written_(at), reserved_(at), since_(at) {
  batch_.reserve(kBatchBytes);
}

Result<Writer> Writer::create(os::Fd file) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "creating a journal");
  if (status.st_size != 0) return fail(ErrorKind::conflict, "creating a journal: the file is not empty");
  std::uint32_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) return fail_errno(errno, "creating a journal: random seed");
  const std::string header = encode_file_header(seed);
  if (::pwrite(file.get(), header.data(), header.size(), 0) != static_cast<ssize_t>(header.size())) {
    return fail_errno(errno, "creating a journal");
  }
  return Writer(std::move(file), seed, kFileHeaderBytes);
}

bool Writer::has_room(std::size_t output_bytes, Time time) {
  return !broken_ && reserve(kHeaderBytes + output_bytes + kTrailerBytes, kReserveBytes, time);
}

Result<void> Writer::append(RecordType type, std::uint16_t step, std::uint8_t flags, Time time,
                            std::string_view payload) {
  if (broken_) return fail(ErrorKind::internal, "the journal is broken");
  if (payload.size() > kMaxPayload) return fail(ErrorKind::invalid, "a journal record of more than 1 MiB");
  if (!reserve(kHeaderBytes + payload.size() + kTrailerBytes, must_leave(type), time)) {
    return fail(ErrorKind::exhausted, "no space left for the journal");
  }
  const std::uint64_t offset = end();
  const Header header{static_cast<std::uint32_t>(payload.size()), {type, flags, step, time, payload}};
  SW_CHECK(put(header, payload));
  lines_.add(header.record, offset);
  // Nothing follows `attempt_finished`: whoever looks for it reads only from the last checkpoint on.
  if (end() - since_ < kCheckpointEvery || type == RecordType::attempt_finished) return {};
  const auto written = checkpoint(time);
  // On a full disk the journal goes without, and tries again at the next record.
  if (!written && written.error().kind != ErrorKind::exhausted) return written;
  return {};
}

Result<void> Writer::put(const Header& header, std::string_view payload) {
  char head[kHeaderBytes];
  encode_header(header, head);
  const std::string_view head_view(head, sizeof head);
  const std::uint32_t crc = record_crc(seed_, head_view, payload);
  char tail[kTrailerBytes];
  std::memcpy(tail, &crc, sizeof tail);
  const std::string_view tail_view(tail, sizeof tail);

  if (payload.size() <= kCopiedPayload) {
    if (batch_.size() + kHeaderBytes + payload.size() + kTrailerBytes > kBatchBytes) SW_CHECK(flush());
    batch_.append(head_view).append(payload).append(tail_view);
    return {};
  }
  const std::size_t before = batch_.size();
  batch_.append(head_view);
  auto written = write_out(payload, tail_view);
  if (!written) batch_.resize(before);
  return written;
}

Result<void> Writer::checkpoint(Time time) {
  const std::uint64_t self = end();
  const std::string payload = encode(Checkpoint{self, last_checkpoint_, lines_.steps()});
  if (payload.size() > kMaxPayload) return {};  // 16,000 steps: readers do without
  if (!reserve(kHeaderBytes + payload.size() + kTrailerBytes, kReserveBytes / 2, time)) {
    return fail(ErrorKind::exhausted, "no space left for a checkpoint");
  }
  const auto length = static_cast<std::uint32_t>(payload.size());
  SW_CHECK(put({length, {RecordType::checkpoint, 0, kNoStep, time, payload}}, payload));
  last_checkpoint_ = self;
  since_ = end();
  return {};
}

/// True when `bytes` more may be appended and `leave` bytes of preallocated space remain behind them.
bool Writer::reserve(std::uint64_t bytes, std::uint64_t leave, Time time) {
  if (space_ == Space::unknown) return true;
  const std::uint64_t wanted = end() + bytes + kReserveBytes;
  // A clock that was set back must not keep us from trying.
  const bool may_try = space_ == Space::fine || time >= retry_at_ || retry_at_ - time > kRetryFullDisk;
  if (wanted > reserved_ && may_try) {
    const std::uint64_t growth = std::min(end(), kMostGrowth);
    if (preallocate(wanted + growth) || preallocate(wanted)) {
      if (space_ == Space::full) space_ = Space::fine;
    } else {
      space_ = Space::full;
      retry_at_ = time + kRetryFullDisk;
    }
  }
  return space_ == Space::unknown || end() + bytes + leave <= reserved_;
}

bool Writer::preallocate(std::uint64_t upto) {
  int result = 0;
  do {
    result = ::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(reserved_),
                         static_cast<off_t>(upto - reserved_));
  } while (result != 0 && errno == EINTR);
  if (result != 0 && is_full(errno)) return false;
  if (result != 0) {
    space_ = Space::unknown;  // the file system cannot; writes will tell when the disk is full
    return true;
  }
  reserved_ = upto;
  return true;
}

Result<void> Writer::flush() {
  if (broken_) return fail(ErrorKind::internal, "the journal is broken");
  return batch_.empty() ? Result<void>{} : write_out({}, {});
}

/// Writes the batch, then `payload` and `trailer`: all of it, or nothing is in the file and the batch is as it was.
Result<void> Writer::write_out(std::string_view payload, std::string_view trailer) {
  const std::array<std::string_view, 3> parts = {batch_, payload, trailer};
  const std::size_t total = batch_.size() + payload.size() + trailer.size();
  std::size_t done = 0;
  while (done < total) {
    std::array<iovec, 3> pieces{};
    int count = 0;
    std::size_t skip = done;
    for (const std::string_view part : parts) {
      const std::size_t passed = std::min(skip, part.size());
      skip -= passed;
      // iovec is also for reading, hence not const; pwritev does not write to it.
      if (passed < part.size())
        pieces[static_cast<std::size_t>(count++)] = {const_cast<char*>(part.data()) + passed, part.size() - passed};
    }
    const ssize_t wrote = ::pwritev(file_.get(), pieces.data(), count, static_cast<off_t>(written_ + done));
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
      continue;
    }
    const int error_number = wrote == 0 ? ENOSPC : errno;
    if (error_number == EINTR) continue;
    // A torn record in the middle would be damage: take it back. If that fails too, the file is lost to us.
    if (done > 0 && ::ftruncate(file_.get(), static_cast<off_t>(written_)) != 0) broken_ = true;
    if (done > 0) reserved_ = written_;  // the preallocated space went with it
    if (!is_full(error_number)) broken_ = true;
    return is_full(error_number) ? fail(ErrorKind::exhausted, "no space left for the journal")
                                 : fail_errno(error_number, "writing the journal");
  }
  written_ += total;
  batch_.clear();
  return {};
}

Result<void> Writer::sync() {
  SW_CHECK(flush());
  if (::fdatasync(file_.get()) != 0) return fail_errno(errno, "syncing the journal");
  return {};
}

/// To its own length: gives back what lies preallocated behind it.
Result<void> Writer::trim() {
  if (::ftruncate(file_.get(), static_cast<off_t>(written_)) != 0) return fail_errno(errno, "closing the journal");
  reserved_ = written_;
  return {};
}

Result<void> Writer::close() {
  SW_CHECK(flush());
  SW_CHECK(trim());
  file_.reset();
  broken_ = true;
  return {};
}

Result<void> Writer::close_on_disk() {
  SW_CHECK(flush());
  SW_CHECK(trim());
  SW_CHECK(sync());
  file_.reset();
  broken_ = true;
  return {};
}

}  // namespace slipway::journal
