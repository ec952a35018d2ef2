#include "journal/tail_ring.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/crc32c.h"

namespace slipway::journal {
namespace {

constexpr std::string_view kRingMagic = "SLIPRNG1";
constexpr std::uint64_t kDataAt = 4096;
constexpr std::size_t kRingHeaderBytes = 36;
constexpr std::size_t kPositionBytes = 8;
constexpr std::uint64_t kMostCapacity = 1ULL << 30U;
constexpr std::size_t kLongestPiece = 64U << 10U;
constexpr auto kTaken = static_cast<RecordType>(0);

std::uint64_t entry_bytes(std::uint32_t length) { return kHeaderBytes + length + kTrailerBytes; }

Result<void> pread_all(int fd, char* to, std::size_t bytes, std::uint64_t at) {
  while (bytes > 0) {
    const ssize_t got = ::pread(fd, to, bytes, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading the tail ring");
    if (got == 0) return fail(ErrorKind::internal, "the tail ring is cut short");
    to += got;
    at += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
  return {};
}

Result<void> pwrite_all(int fd, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail_errno(errno, "writing the tail ring");
    at += static_cast<std::uint64_t>(wrote);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

}  // namespace

TailRing::TailRing(os::Fd file, std::uint64_t capacity) : file_(std::move(file)), capacity_(capacity) {}

Result<TailRing> TailRing::create(os::Fd file, std::uint64_t capacity) {
  if (capacity < 256 || capacity > kMostCapacity) {
    return fail(ErrorKind::invalid, "the tail of a log can hold from 256 bytes to 1 GiB");
  }
  return TailRing(std::move(file), capacity);
}

Result<TailRing> TailRing::open(os::Fd file) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "opening the tail ring");
  if (status.st_size == 0) return fail(ErrorKind::not_found, "the tail ring is empty");
  std::array<char, kRingHeaderBytes> header{};
  SW_CHECK(pread_all(file.get(), header.data(), header.size(), 0));
  const std::string_view bytes(header.data(), header.size());
  std::array<std::uint64_t, 3> numbers{};
  std::uint32_t crc = 0;
  std::memcpy(numbers.data(), header.data() + 8, sizeof numbers);
  std::memcpy(&crc, header.data() + 32, sizeof crc);
  const auto [capacity, tail, head] = numbers;
  // All zeros: the space was taken, but nothing was pushed.
  if (bytes.find_first_not_of('\0') == std::string_view::npos)
    return fail(ErrorKind::not_found, "the tail ring is empty");
  if (!bytes.starts_with(kRingMagic) || crc != crc32c(0, bytes.substr(0, 32)) || capacity > kMostCapacity ||
      tail > head || head - tail > capacity || capacity == 0) {
    return fail(ErrorKind::internal, "the tail ring is damaged");
  }
  TailRing ring(std::move(file), capacity);
  ring.tail_ = tail;
  ring.head_ = head;
  ring.space_ = Space::ready;
  return ring;
}

std::size_t TailRing::most_bytes() const { return std::min<std::size_t>(kLongestPiece, capacity_ / 8); }

/// Taken whole and at once: a disk that fills up later cannot lose what the ring already holds.
bool TailRing::allocate() {
  if (space_ != Space::unused) return space_ == Space::ready;
  const int result = ::fallocate(file_.get(), 0, 0, static_cast<off_t>(kDataAt + capacity_));
  const bool cannot_tell = result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR);
  space_ = result == 0 || cannot_tell ? Space::ready : Space::none;
  return space_ == Space::ready;
}

Result<void> TailRing::write_header() {
  std::array<char, kRingHeaderBytes> header{};
  const std::array<std::uint64_t, 3> numbers = {capacity_, tail_, head_};
  std::memcpy(header.data(), kRingMagic.data(), kRingMagic.size());
  std::memcpy(header.data() + 8, numbers.data(), sizeof numbers);
  const std::uint32_t crc = crc32c(0, {header.data(), 32});
  std::memcpy(header.data() + 32, &crc, sizeof crc);
  return pwrite_all(file_.get(), {header.data(), header.size()}, 0);
}

Result<void> TailRing::write_at(std::uint64_t position, std::string_view bytes) {
  const std::uint64_t at = position % capacity_;
  const std::string_view first = bytes.substr(0, capacity_ - at);
  SW_CHECK(pwrite_all(file_.get(), first, kDataAt + at));
  return pwrite_all(file_.get(), bytes.substr(first.size()), kDataAt);
}

Result<void> TailRing::read_at(std::uint64_t position, char* to, std::size_t bytes) const {
  const std::uint64_t at = position % capacity_;
  const std::size_t first = std::min<std::size_t>(bytes, capacity_ - at);
  SW_CHECK(pread_all(file_.get(), to, first, kDataAt + at));
  return pread_all(file_.get(), to + first, bytes - first, kDataAt);
}

Result<Header> TailRing::read_header(std::uint64_t at) const {
  std::array<char, kHeaderBytes> bytes{};
  SW_CHECK(read_at(at, bytes.data(), bytes.size()));
  const bool taken = bytes[4] == 0;
  if (taken) bytes[4] = static_cast<char>(RecordType::output_stdout);  // only its length matters any more
  auto header = parse_header({bytes.data(), bytes.size()});
  if (!header || header->length < kPositionBytes || entry_bytes(header->length) > head_ - at) {
    return fail(ErrorKind::internal, "the tail ring is damaged");
  }
  if (taken) header->record.type = kTaken;
  return *header;
}

Result<TailRing::Piece> TailRing::read_piece(std::uint64_t at, const Header& header, std::string& buffer) const {
  buffer.resize(entry_bytes(header.length));
  SW_CHECK(read_at(at, buffer.data(), buffer.size()));
  std::uint32_t crc = 0;
  std::memcpy(&crc, buffer.data() + kHeaderBytes + header.length, sizeof crc);
  const std::string_view bytes(buffer);
  if (crc != crc32c(0, bytes.substr(0, kHeaderBytes + header.length))) {
    return fail(ErrorKind::internal, "the tail ring is damaged");
  }
  Piece piece{header.record, 0};
  std::memcpy(&piece.position, buffer.data() + kHeaderBytes, kPositionBytes);
  piece.record.payload = bytes.substr(kHeaderBytes + kPositionBytes, header.length - kPositionBytes);
  return piece;
}

/// Lets go of the oldest entries until `bytes` are free, and says so in the file before anything is overwritten.
bool TailRing::make_room(std::uint64_t bytes, const std::function<void(std::uint16_t, std::uint64_t)>& lost) {
  if (capacity_ - (head_ - tail_) >= bytes) return true;
  while (capacity_ - (head_ - tail_) < bytes) {
    const auto oldest = read_header(tail_);
    if (!oldest) return false;
    if (oldest->record.type != kTaken) lost(oldest->record.step, oldest->length - kPositionBytes);
    tail_ += entry_bytes(oldest->length);
  }
  return write_header().has_value();
}

void TailRing::push(const Piece& piece, const std::function<void(std::uint16_t, std::uint64_t)>& lost) {
  const std::string_view text = piece.record.payload;
  const auto length = static_cast<std::uint32_t>(kPositionBytes + std::min<std::size_t>(text.size(), kLongestPiece));
  if (text.size() > most_bytes() || !allocate() || !make_room(entry_bytes(length), lost)) {
    lost(piece.record.step, text.size());
    return;
  }
  std::array<char, kHeaderBytes + kPositionBytes> front{};
  encode_header({length, piece.record}, front.data());
  std::memcpy(front.data() + kHeaderBytes, &piece.position, kPositionBytes);
  const std::string_view front_view(front.data(), front.size());
  const std::uint32_t crc = crc32c(crc32c(0, front_view), text);

  std::string entry;
  entry.reserve(entry_bytes(length));
  entry.append(front_view).append(text).append(reinterpret_cast<const char*>(&crc), sizeof crc);
  const std::uint64_t before = head_;
  head_ += entry.size();
  if (!write_at(before, entry) || !write_header()) {
    head_ = before;
    lost(piece.record.step, text.size());
  }
}

Result<void> TailRing::look(const Visit& visit) const {
  std::string buffer;
  for (std::uint64_t at = tail_; at < head_;) {
    SW_TRY(const Header header, read_header(at));
    if (header.record.type != kTaken) {
      SW_TRY(const Piece piece, read_piece(at, header, buffer));
      SW_CHECK(visit(piece));
    }
    at += entry_bytes(header.length);
  }
  return {};
}

Result<void> TailRing::take(std::optional<std::uint16_t> step, const Visit& visit) {
  std::string buffer;
  std::vector<std::uint64_t> visited;
  bool others_left = false;
  for (std::uint64_t at = tail_; at < head_;) {
    SW_TRY(const Header header, read_header(at));
    const bool wanted = header.record.type != kTaken && (!step || header.record.step == *step);
    if (wanted) {
      SW_TRY(const Piece piece, read_piece(at, header, buffer));
      SW_CHECK(visit(piece));
      visited.push_back(at);
    } else if (header.record.type != kTaken) {
      others_left = true;
    }
    at += entry_bytes(header.length);
  }
  if (others_left) {
    const char taken = static_cast<char>(kTaken);
    for (const std::uint64_t at : visited) SW_CHECK(write_at(at + 4, {&taken, 1}));
    return {};
  }
  if (tail_ == head_) return {};
  tail_ = head_;
  return write_header();
}

}  // namespace slipway::journal
