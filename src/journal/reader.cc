#include "journal/reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace slipway::journal {
namespace {

constexpr std::size_t kReadAhead = 256U << 10U;
constexpr std::size_t kLargestRecord = kHeaderBytes + kMaxPayload + kTrailerBytes;
/// Checksummed at most in one search for the next record. Behind damage, text of a job may look like headers of
/// large records everywhere; when this much was tried, only checkpoints are.
constexpr std::uint64_t kResyncWork = 64U << 20U;
constexpr std::size_t kCheckpointPeek = 4096;  // most checkpoints fit
constexpr std::size_t kSearchBack = 1U << 20U;

class PlainSource final : public Source {
 public:
  explicit PlainSource(os::Fd file) : file_(std::move(file)) {}

  Result<std::size_t> read_at(std::uint64_t offset, char* to, std::size_t most) override {
    std::size_t done = 0;
    while (done < most) {
      const ssize_t got = ::pread(file_.get(), to + done, most - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(errno, "reading the journal");
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  Result<std::uint64_t> size() override {
    struct stat status{};
    if (::fstat(file_.get(), &status) != 0) return fail_errno(errno, "reading the journal");
    return static_cast<std::uint64_t>(status.st_size);
  }

  bool has_index() const override { return false; }
  std::optional<std::uint64_t> find_checkpoint(const CheckpointQuery& /*query*/) const override { return std::nullopt; }

 private:
  os::Fd file_;
};

/// Does the record at `at`, whose bytes these are, say that it is the checkpoint at just that offset?
bool names_itself(std::string_view bytes, std::uint64_t at) {
  if (bytes.size() < kHeaderBytes + 8 || bytes[4] != static_cast<char>(RecordType::checkpoint)) return false;
  std::uint64_t self = 0;
  std::memcpy(&self, bytes.data() + kHeaderBytes, sizeof self);
  return self == at;
}

bool answers(const CheckpointQuery& query, const Checkpoint& checkpoint, Time time) {
  if (checkpoint.self >= query.before) return false;
  if (query.earlier_than && time >= *query.earlier_than) return false;
  if (!query.step) return true;
  const auto found = std::find_if(checkpoint.steps.begin(), checkpoint.steps.end(),
                                  [&](const StepCount& count) { return count.step == *query.step; });
  return found == checkpoint.steps.end() || found->lines <= query.most_lines;
}

}  // namespace

std::unique_ptr<Source> plain_source(os::Fd file) { return std::make_unique<PlainSource>(std::move(file)); }

Reader::Reader(std::unique_ptr<Source> source, std::uint32_t seed) : source_(std::move(source)), seed_(seed) {}

Result<Reader> Reader::open(std::unique_ptr<Source> source) {
  std::array<char, kFileHeaderBytes> header{};
  SW_TRY(const std::size_t got, source->read_at(0, header.data(), header.size()));
  if (got < header.size()) return fail(ErrorKind::unavailable, "the journal has not been begun");
  const auto seed = parse_file_header({header.data(), header.size()});
  if (!seed) return fail(ErrorKind::invalid, "not a journal, or its first 16 bytes are damaged");
  return Reader(std::move(source), *seed);
}

void Reader::seek(std::uint64_t offset) { position_ = std::max<std::uint64_t>(offset, kFileHeaderBytes); }

Result<std::string_view> Reader::window(std::uint64_t offset, std::size_t want) {
  const bool inside = offset >= buffer_at_ && offset <= buffer_at_ + filled_;
  std::size_t skip = inside ? static_cast<std::size_t>(offset - buffer_at_) : filled_;
  if (inside && filled_ - skip >= want) return std::string_view(buffer_).substr(skip, filled_ - skip);
  // Keep what is already read from `offset` on, and read behind it.
  std::memmove(buffer_.data(), buffer_.data() + skip, filled_ - skip);
  filled_ -= skip;
  buffer_at_ = offset;
  if (buffer_.size() < std::max(want, kReadAhead)) buffer_.resize(std::max(want, kReadAhead));
  SW_TRY(const std::size_t got,
         source_->read_at(offset + filled_, buffer_.data() + filled_, std::max(want, kReadAhead) - filled_));
  filled_ += got;
  return std::string_view(buffer_).substr(0, filled_);
}

std::optional<Header> Reader::verified(std::string_view bytes) const {
  auto header = parse_header(bytes);
  if (!header || bytes.size() < kHeaderBytes + header->length + kTrailerBytes) return std::nullopt;
  header->record.payload = bytes.substr(kHeaderBytes, header->length);
  std::uint32_t crc = 0;
  std::memcpy(&crc, bytes.data() + kHeaderBytes + header->length, sizeof crc);
  if (crc != record_crc(seed_, bytes.substr(0, kHeaderBytes), header->record.payload)) return std::nullopt;
  return header;
}

Result<Next> Reader::next() {
  const std::uint64_t at = position_;
  SW_TRY(std::string_view bytes, window(at, kHeaderBytes));
  if (bytes.empty()) return Next{Next::What::end, at, {}, 0};
  if (bytes.size() < kHeaderBytes) return Next{Next::What::torn, at, {}, 0};
  const auto header = parse_header(bytes);
  if (!header) return damage_from(at);
  const std::size_t total = kHeaderBytes + header->length + kTrailerBytes;
  if (bytes.size() < total) {
    SW_TRY(bytes, window(at, total));
  }
  if (bytes.size() < total) {
    // Either the writer has not finished it, or its length is damaged: then there are records behind it.
    SW_TRY(const Resync behind, resync(at + 1));
    if (!behind.found) return Next{Next::What::torn, at, {}, 0};
    // Or it has been finished while we looked.
    SW_TRY(bytes, window(at, total));
    if (!verified(bytes)) {
      position_ = behind.at;
      return Next{Next::What::damaged, at, {}, behind.at - at};
    }
  }
  const auto whole = verified(bytes);
  if (!whole) return damage_from(at);
  position_ = at + total;
  return Next{Next::What::record, at, whole->record, 0};
}

Result<Next> Reader::damage_from(std::uint64_t offset) {
  SW_TRY(const Resync behind, resync(offset + 1));
  position_ = behind.at;
  return Next{Next::What::damaged, offset, {}, behind.at - offset};
}

/// The first offset at or behind `from` where a record verifies; the end as it was seen if there is none.
Result<Reader::Resync> Reader::resync(std::uint64_t from) {
  std::uint64_t work = 0;
  for (std::uint64_t at = from;;) {
    // So much that any record which begins in the first half is whole, if it is whole in the file.
    SW_TRY(const std::string_view bytes, window(at, 2 * kLargestRecord));
    if (bytes.size() < kHeaderBytes + kTrailerBytes) return Resync{false, at + bytes.size()};
    const std::size_t most = bytes.size() >= 2 * kLargestRecord ? kLargestRecord : bytes.size();
    for (std::size_t i = 0; i < most; ++i) {
      const std::string_view here = bytes.substr(i);
      const auto header = parse_header(here);
      if (!header || here.size() < kHeaderBytes + header->length + kTrailerBytes) continue;
      if (work > kResyncWork && !names_itself(here, at + i)) continue;
      work += kHeaderBytes + header->length;
      if (verified(here)) return Resync{true, at + i};
    }
    at += most;
  }
}

Result<std::optional<Checkpoint>> Reader::find_checkpoint(const CheckpointQuery& query) {
  Time time{};
  if (source_->has_index()) {
    CheckpointQuery earlier = query;
    while (const auto indexed = source_->find_checkpoint(earlier)) {
      SW_TRY(auto checkpoint, checkpoint_at(*indexed, time));
      if (checkpoint) return checkpoint;
      earlier.before = *indexed;  // damaged before it was sealed
    }
    return std::nullopt;
  }
  SW_TRY(const std::uint64_t size, source_->size());
  SW_TRY(auto offset, search_checkpoint(std::min(size, query.before)));
  while (offset) {
    SW_TRY(auto checkpoint, checkpoint_at(*offset, time));
    if (!checkpoint) {
      // The chain is broken by damage: look for the one before in the bytes.
      SW_TRY(offset, search_checkpoint(*offset));
      continue;
    }
    if (answers(query, *checkpoint, time)) return checkpoint;
    if (checkpoint->previous == 0) break;
    offset = checkpoint->previous;
  }
  return std::nullopt;
}

/// The checkpoint at this very offset; nothing if there is none that verifies. Leaves the read-ahead alone.
Result<std::optional<Checkpoint>> Reader::checkpoint_at(std::uint64_t offset, Time& time) {
  std::string bytes(kCheckpointPeek, '\0');
  SW_TRY(std::size_t got, source_->read_at(offset, bytes.data(), bytes.size()));
  const auto header = parse_header(std::string_view(bytes).substr(0, got));
  if (!header || header->record.type != RecordType::checkpoint) return std::nullopt;
  const std::size_t total = kHeaderBytes + header->length + kTrailerBytes;
  if (total > got) {
    bytes.resize(total);
    SW_TRY(got, source_->read_at(offset, bytes.data(), total));
  }
  const auto whole = verified(std::string_view(bytes).substr(0, got));
  if (!whole) return std::nullopt;
  auto checkpoint = parse_checkpoint(whole->record.payload);
  if (!checkpoint || checkpoint->self != offset) return std::nullopt;
  time = whole->record.time;
  return checkpoint;
}

/// The offset of the last checkpoint that begins before `before`, searched backwards in the bytes.
Result<std::optional<std::uint64_t>> Reader::search_checkpoint(std::uint64_t before) {
  std::string bytes;
  for (std::uint64_t high = before; high > kFileHeaderBytes;) {
    const std::uint64_t low =
        std::max<std::uint64_t>(kFileHeaderBytes, high - std::min<std::uint64_t>(high, kSearchBack));
    bytes.resize(static_cast<std::size_t>(high - low) + kHeaderBytes + 8);
    SW_TRY(const std::size_t got, source_->read_at(low, bytes.data(), bytes.size()));
    const std::string_view all = std::string_view(bytes).substr(0, got);
    // The type's byte is rare in text; it stands 4 bytes into the record.
    const auto type = static_cast<char>(RecordType::checkpoint);
    std::size_t last = static_cast<std::size_t>(high - low) + 4;
    while (last-- > 4) {
      last = all.rfind(type, last);
      if (last == std::string_view::npos || last < 4) break;
      const std::uint64_t at = low + last - 4;
      if (!names_itself(all.substr(last - 4), at)) continue;
      Time time{};
      SW_TRY(const auto checkpoint, checkpoint_at(at, time));
      if (checkpoint) return at;
    }
    high = low;
  }
  return std::nullopt;
}

}  // namespace slipway::journal
