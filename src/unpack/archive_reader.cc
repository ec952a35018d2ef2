#include "unpack/archive_reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <nettle/sha2.h>

namespace slipway::unpack {

namespace {

constexpr std::size_t kBlock = 256U << 10U;
constexpr std::uint64_t kRatioCounts = 256ULL << 20U;  // smaller ones may have any
constexpr std::size_t kMostAttributes = 64, kLongestAttribute = 64U << 10U;

struct Close {
  void operator()(archive* one) const { archive_read_free(one); }
};
using Archive = std::unique_ptr<archive, Close>;

std::unexpected<Error> broken(archive* one, std::string_view what) {
  const char* text = archive_error_string(one);
  return fail(ErrorKind::invalid, fmt::format("{}: {}", what, text != nullptr ? text : "broken"));
}

// Not `filter_all`: some of those run programs.
void allow_compressions(archive* one) {
  archive_read_support_filter_gzip(one);
  archive_read_support_filter_bzip2(one);
  archive_read_support_filter_xz(one);
  archive_read_support_filter_lzma(one);
  archive_read_support_filter_zstd(one);
  archive_read_support_filter_lz4(one);
}

// The bytes of the archive without its compression, hashed on their way to the reader of entries.
class PlainStream {
 public:
  explicit PlainStream(const ReadLimits& limits) : limits_(limits), source_(archive_read_new()) { sha256_init(&hash_); }

  Result<void> open(int fd) {
    allow_compressions(source_.get());
    archive_read_support_format_raw(source_.get());
    archive_read_support_format_empty(source_.get());
    archive_entry* entry = nullptr;
    if (archive_read_open_fd(source_.get(), fd, kBlock) != ARCHIVE_OK) return broken(source_.get(), "opening");
    const int first = archive_read_next_header(source_.get(), &entry);
    if (first == ARCHIVE_EOF) empty_ = true;
    if (first < ARCHIVE_WARN) return broken(source_.get(), "opening");
    buffer_.resize(kBlock);
    return {};
  }

  // libarchive's reading callback: 0 at the end, -1 on an error.
  la_ssize_t next(archive* reader, const void** bytes) {
    if (empty_) return 0;
    const la_ssize_t got = archive_read_data(source_.get(), buffer_.data(), buffer_.size());
    if (got < 0) {
      archive_set_error(reader, archive_errno(source_.get()), "%s", archive_error_string(source_.get()));
      return -1;
    }
    if (got == 0) return pad(bytes);
    total_ += static_cast<std::uint64_t>(got);
    if (over_limit()) {
      archive_set_error(reader, EIO, "too large without its compression");
      return -1;
    }
    sha256_update(&hash_, static_cast<std::size_t>(got), buffer_.data());
    *bytes = buffer_.data();
    return got;
  }

  bool over_limit() const {
    if (total_ > limits_.most_stream) return true;
    const auto read = static_cast<std::uint64_t>(archive_filter_bytes(source_.get(), -1));
    return total_ > kRatioCounts && total_ / limits_.most_ratio > read;
  }

  // What lies behind the archive's end is part of its digest.
  Result<std::string> digest(archive* reader) {
    const void* ignored = nullptr;
    for (;;) {
      const la_ssize_t got = next(reader, &ignored);
      if (got < 0) return broken(reader, "reading to the end");
      if (got == 0) break;
    }
    std::uint8_t raw[SHA256_DIGEST_SIZE];
    sha256_digest(&hash_, sizeof raw, raw);
    std::string text = "sha256:";
    for (const std::uint8_t byte : raw) text += fmt::format("{:02x}", byte);
    return text;
  }

 private:
  // Some builders (umoci insert) leave away the zeros that fill a tar's last block. Whether the archive is whole, its
  // digest says.
  la_ssize_t pad(const void** bytes) {
    constexpr std::uint64_t kTarBlock = 512;
    if (padded_ || total_ % kTarBlock == 0) return 0;
    padded_ = true;
    const auto missing = static_cast<std::size_t>(kTarBlock - total_ % kTarBlock);
    std::fill_n(buffer_.begin(), missing, std::uint8_t{0});
    *bytes = buffer_.data();
    return static_cast<la_ssize_t>(missing);
  }

  const ReadLimits limits_;
  Archive source_;
  sha256_ctx hash_{};
  std::vector<std::uint8_t> buffer_;
  std::uint64_t total_ = 0;
  bool empty_ = false, padded_ = false;
};

Result<Entry> entry_of(archive_entry* from) {
  Entry entry;
  const char* name = archive_entry_pathname(from);
  if (name == nullptr) return fail(ErrorKind::invalid, "an entry has a name that cannot be read");
  entry.name = name;
  if (archive_entry_is_encrypted(from) != 0) return fail(ErrorKind::invalid, "`" + entry.name + "`: is encrypted");
  entry.mode = archive_entry_perm(from);
  const auto user = archive_entry_uid(from), group = archive_entry_gid(from);
  entry.user = user < 0 || user > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(user);
  entry.group = group < 0 || group > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(group);
  entry.seconds = archive_entry_mtime(from);
  entry.nanoseconds = archive_entry_mtime_nsec(from);
  if (entry.nanoseconds < 0 || entry.nanoseconds > 999'999'999) entry.nanoseconds = 0;
  if (const char* link = archive_entry_hardlink(from); link != nullptr) {
    entry.kind = Entry::Kind::hardlink;
    entry.link = link;
    return entry;
  }
  switch (archive_entry_filetype(from)) {
    case AE_IFREG: entry.kind = Entry::Kind::file; break;
    case AE_IFDIR: entry.kind = Entry::Kind::directory; break;
    case AE_IFLNK: {
      entry.kind = Entry::Kind::symlink;
      const char* link = archive_entry_symlink(from);
      entry.link = link != nullptr ? link : "";
      break;
    }
    case AE_IFCHR:
    case AE_IFBLK: entry.kind = Entry::Kind::device; break;
    case AE_IFIFO: entry.kind = Entry::Kind::fifo; break;
    default: entry.kind = Entry::Kind::other; break;
  }
  archive_entry_xattr_reset(from);
  const char* attribute = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(from, &attribute, &value, &size) == ARCHIVE_OK &&
         entry.attributes.size() < kMostAttributes) {
    if (attribute == nullptr || size > kLongestAttribute) continue;
    entry.attributes.emplace_back(attribute, std::string(static_cast<const char*>(value), size));
  }
  return entry;
}

Result<void> copy_data(archive* reader, archive_entry* from, int file, TreeWriter& tree) {
  std::uint64_t written = 0;
  for (;;) {
    const void* bytes = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int got = archive_read_data_block(reader, &bytes, &size, &offset);
    if (got == ARCHIVE_EOF) break;
    if (got < ARCHIVE_WARN) return broken(reader, "reading a file");
    if (offset < 0) return fail(ErrorKind::invalid, "a file has data before its beginning");
    SW_CHECK(tree.write(file, {static_cast<const char*>(bytes), size}, static_cast<std::uint64_t>(offset)));
    written = std::max(written, static_cast<std::uint64_t>(offset) + size);
  }
  // A hole at the end has no data.
  if (archive_entry_size_is_set(from) != 0) {
    const la_int64_t size = archive_entry_size(from);
    if (size > 0 && static_cast<std::uint64_t>(size) > written) {
      SW_CHECK(tree.write(file, {}, static_cast<std::uint64_t>(size)));  // only asks the limit
      if (::ftruncate(file, size) != 0) return fail_errno(errno, "making a file's last hole");
    }
  }
  return {};
}

la_ssize_t read_plain(archive* reader, void* stream, const void** bytes) {
  return static_cast<PlainStream*>(stream)->next(reader, bytes);
}

Result<void> copy_entries(archive* reader, const PlainStream* plain, TreeWriter& tree, const ReadLimits& limits) {
  for (;;) {
    archive_entry* from = nullptr;
    const int got = archive_read_next_header(reader, &from);
    if (plain != nullptr && plain->over_limit()) {
      return fail(ErrorKind::exhausted, "too large without its compression");
    }
    if (got == ARCHIVE_EOF) return {};
    if (got < ARCHIVE_WARN) return broken(reader, "not an archive that can be read");
    SW_TRY(const Entry entry, entry_of(from));
    SW_TRY(const os::Fd file, tree.make(entry));
    if (!file) continue;
    SW_CHECK(copy_data(reader, from, file.get(), tree));
    SW_CHECK(tree.finish(file.get(), entry));
    const auto read = static_cast<std::uint64_t>(archive_filter_bytes(reader, -1));
    if (plain == nullptr && tree.bytes() > kRatioCounts && tree.bytes() / limits.most_ratio > read) {
      return fail(ErrorKind::exhausted,
                  "a bomb: " + std::to_string(tree.bytes()) + " bytes out of " + std::to_string(read));
    }
  }
}

}  // namespace

Result<std::string> unpack_archive(int fd, const ReadLimits& limits, Policy::Content content, TreeWriter& tree) {
  const Archive reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_empty(reader.get());
  PlainStream plain(limits);
  const bool two_stages = limits.digest || content == Policy::Content::layer;
  if (two_stages) {
    SW_CHECK(plain.open(fd));
    if (archive_read_open(reader.get(), &plain, nullptr, read_plain, nullptr) != ARCHIVE_OK) {
      return broken(reader.get(), "opening");
    }
  } else {
    allow_compressions(reader.get());
    archive_read_support_format_zip(reader.get());
    if (archive_read_open_fd(reader.get(), fd, kBlock) != ARCHIVE_OK) return broken(reader.get(), "opening");
  }
  if (auto done = copy_entries(reader.get(), two_stages ? &plain : nullptr, tree, limits); !done) {
    if (two_stages && plain.over_limit()) return fail(ErrorKind::exhausted, "too large without its compression");
    return std::unexpected(done.error());
  }
  SW_CHECK(tree.close());
  if (!limits.digest) return std::string();
  return plain.digest(reader.get());
}

}  // namespace slipway::unpack
