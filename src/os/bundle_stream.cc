#include "os/bundle_stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "base/text.h"
#include "os/files.h"

namespace slipway::os {

namespace {

constexpr std::string_view kMagic = "SLIPBND1";
constexpr std::size_t kHeaderBytes = 24;
constexpr std::size_t kBufferBytes = 256 * 1024;

void append_integer(std::string& text, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
}

std::uint64_t integer_at(const unsigned char* at, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= static_cast<std::uint64_t>(at[i]) << (8 * i);
  return value;
}

}  // namespace

bool is_bundle_path(std::string_view path) {
  if (path.empty() || path.size() >= PATH_MAX || path.find('\0') != std::string_view::npos) return false;
  return std::ranges::all_of(split(path, '/'), [](std::string_view part) {
    return !part.empty() && part != "." && part != ".." && part.size() <= NAME_MAX;
  });
}

bool stays_inside(std::string_view path, std::string_view target, std::size_t depth_of_root) {
  if (target.empty() || target.size() >= PATH_MAX || target.front() == '/') return false;
  if (target.find('\0') != std::string_view::npos) return false;
  const auto parts = split(path, '/');
  std::size_t depth = parts.size() - 1;  // of the directory that holds the link
  bool descending = false;
  for (const std::string_view part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      descending = true;
    } else if (descending || depth <= depth_of_root) {
      return false;
    } else {
      --depth;
    }
  }
  return true;
}

bool comes_before(std::string_view left, std::string_view right) {
  const auto [l, r] = std::ranges::mismatch(left, right);
  if (l == left.end() || r == right.end()) return r != right.end();
  if (*l == '/' || *r == '/') return *l == '/';
  return static_cast<unsigned char>(*l) < static_cast<unsigned char>(*r);
}

EntryWriter::EntryWriter(int fd) : fd_(fd) { buffer_.reserve(kBufferBytes); }

Result<void> EntryWriter::flush() {
  SW_CHECK(write_all(fd_, buffer_));
  buffer_.clear();
  return {};
}

Result<void> EntryWriter::put(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) SW_CHECK(flush());
  if (bytes.size() >= kBufferBytes) return write_all(fd_, bytes);
  buffer_.append(bytes);
  return {};
}

Result<void> EntryWriter::begin() { return put(kMagic); }

Result<void> EntryWriter::open_entry(const EntryHeader& header) {
  std::string text;
  append_integer(text, static_cast<std::uint8_t>(header.kind), 2);
  append_integer(text, header.mode, 2);
  append_integer(text, header.path.size(), 4);
  append_integer(text, header.size, 8);
  append_integer(text, static_cast<std::uint64_t>(header.mtime_micros), 8);
  text += header.path;
  crc_ = 0;
  return content(text);
}

Result<void> EntryWriter::content(std::string_view bytes) {
  crc_ = crc32c(crc_, bytes);
  return put(bytes);
}

Result<void> EntryWriter::close_entry() {
  std::string text;
  append_integer(text, crc_, 4);
  return put(text);
}

Result<void> EntryWriter::finish() {
  SW_CHECK(open_entry({}));
  SW_CHECK(close_entry());
  return flush();
}

EntryReader::EntryReader(int fd) : fd_(fd), buffer_(std::make_unique_for_overwrite<char[]>(kBufferBytes)) {}

// Called with an empty buffer only.
Result<void> EntryReader::fill() {
  for (;;) {
    const ssize_t got = ::read(fd_, buffer_.get(), kBufferBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading a bundle");
    if (got == 0) return fail(ErrorKind::invalid, "the bundle is cut short");
    from_ = 0;
    until_ = static_cast<std::size_t>(got);
    return {};
  }
}

Result<void> EntryReader::take(void* bytes, std::size_t size) {
  auto* at = static_cast<char*>(bytes);
  while (size > 0) {
    if (from_ == until_) SW_CHECK(fill());
    const std::size_t part = std::min(size, until_ - from_);
    std::memcpy(at, buffer_.get() + from_, part);
    from_ += part;
    at += part;
    size -= part;
  }
  return {};
}

Result<void> EntryReader::begin() {
  char magic[kMagic.size()];
  SW_CHECK(take(magic, sizeof magic));
  if (std::string_view(magic, sizeof magic) != kMagic) return fail(ErrorKind::invalid, "this is not a bundle");
  return {};
}

Result<EntryHeader> EntryReader::next() {
  SW_ASSERT(left_ == 0, "an entry's content is read before the next entry");
  unsigned char raw[kHeaderBytes];
  SW_CHECK(take(raw, sizeof raw));
  crc_ = crc32c(0, std::string_view(reinterpret_cast<const char*>(raw), sizeof raw));
  EntryHeader header;
  if (raw[0] > 3 || raw[1] != 0) return fail(ErrorKind::invalid, "the bundle holds an unknown kind of entry");
  header.kind = static_cast<EntryHeader::Kind>(raw[0]);
  header.mode = static_cast<std::uint16_t>(integer_at(raw + 2, 2));
  const std::uint64_t path_size = integer_at(raw + 4, 4);
  header.size = integer_at(raw + 8, 8);
  header.mtime_micros = static_cast<std::int64_t>(integer_at(raw + 16, 8));
  if (header.kind == EntryHeader::Kind::end) {
    if (path_size != 0 || header.size != 0) return fail(ErrorKind::invalid, "the bundle's end is malformed");
    SW_CHECK(close_entry());
    return header;
  }
  if (path_size >= PATH_MAX) return fail(ErrorKind::invalid, "the bundle holds a path that is too long");
  header.path.resize(path_size);
  SW_CHECK(take(header.path.data(), path_size));
  crc_ = crc32c(crc_, {header.path.data(), path_size});
  const std::string shown = printable(header.path, Colour::strip);
  if (!is_bundle_path(header.path)) return fail(ErrorKind::invalid, "the bundle holds the path `" + shown + "`");
  if (!comes_before(last_path_, header.path)) {
    return fail(ErrorKind::invalid, "the bundle holds `" + shown + "` twice or out of order");
  }
  const bool fits = header.kind == EntryHeader::Kind::file ||
                    (header.kind == EntryHeader::Kind::directory ? header.size == 0 : header.size < PATH_MAX);
  if ((header.mode & ~0777U) != 0 || !fits) return fail(ErrorKind::invalid, "malformed entry `" + shown + "`");
  last_path_ = header.path;
  left_ = header.size;
  return header;
}

Result<std::string_view> EntryReader::content() {
  if (left_ == 0) return std::string_view();
  if (from_ == until_) SW_CHECK(fill());
  const std::string_view part(buffer_.get() + from_,
                              static_cast<std::size_t>(std::min<std::uint64_t>(left_, until_ - from_)));
  from_ += part.size();
  left_ -= part.size();
  crc_ = crc32c(crc_, part);
  return part;
}

Result<void> EntryReader::close_entry() {
  SW_ASSERT(left_ == 0, "an entry's content is read before its checksum");
  unsigned char raw[4];
  SW_CHECK(take(raw, sizeof raw));
  if (integer_at(raw, 4) != crc_) return fail(ErrorKind::invalid, "the bundle is damaged: a checksum is wrong");
  return {};
}

}  // namespace slipway::os
