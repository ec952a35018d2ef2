#include "journal/seal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "journal/sealed_format.h"
#include "os/files.h"

namespace slipway::journal {
namespace {

constexpr int kLevel = 1;
constexpr std::size_t kMostFrame = 8U << 20U;  // without checkpoints (damage) a frame is cut here

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

/// Compresses ranges of one journal into one file, and gathers the index.
class Sealer {
 public:
  Sealer(os::Fd in, os::Fd out) : in_(std::move(in)), out_(std::move(out)), context_(ZSTD_createCCtx()) {}

  Result<void> start() {
    if (!context_) return fail(ErrorKind::exhausted, "no memory to compress");
    const bool set = ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel)) == 0U &&
                     ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1)) == 0U;
    return set ? Result<void>{} : fail(ErrorKind::internal, "zstd refuses its parameters");
  }

  /// A frame of all up to `upto`; the next one begins there, at `checkpoint` if it is one.
  Result<void> cut(std::uint64_t upto, const Checkpoint* checkpoint, Time time) {
    SW_CHECK(compress(upto));
    begin_ = upto;
    time_ = checkpoint == nullptr ? 0 : to_micros(time);
    changed_.clear();
    if (checkpoint == nullptr) return {};
    for (const StepCount& step : checkpoint->steps) {
      std::uint64_t& known = lines_[step.step];
      if (known == step.lines) continue;
      known = step.lines;
      changed_.emplace_back(step.step, step.lines);
    }
    return {};
  }

  std::uint64_t begin() const { return begin_; }

  /// The last frame, the index, and all on the disk. Returns the sealed file's length.
  Result<std::uint64_t> finish(std::uint64_t size) {
    SW_CHECK(compress(size));
    Footer footer;
    footer.index_bytes = index_.size();
    footer.journal_bytes = size;
    footer.frames = frames_;
    const std::string tail = encode(footer, index_);
    const std::string head = skippable_header(index_.size() + tail.size());
    for (const std::string_view part : {std::string_view(head), std::string_view(index_), std::string_view(tail)}) {
      SW_CHECK(os::write_all(out_.get(), part));
      written_ += part.size();
    }
    if (::fdatasync(out_.get()) != 0) return fail_errno(errno, "syncing a sealed journal");
    return written_;
  }

 private:
  Result<void> compress(std::uint64_t upto) {
    if (upto == begin_) return {};
    const auto length = static_cast<std::size_t>(upto - begin_);
    plain_.resize(std::max(plain_.size(), length));
    for (std::size_t done = 0; done < length;) {
      const ssize_t got = ::pread(in_.get(), plain_.data() + done, length - done, static_cast<off_t>(begin_ + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(errno, "reading a journal to seal it");
      if (got == 0) return fail(ErrorKind::conflict, "the journal became shorter while it was sealed");
      done += static_cast<std::size_t>(got);
    }
    packed_.resize(std::max(packed_.size(), ZSTD_compressBound(length)));
    const std::size_t size = ZSTD_compress2(context_.get(), packed_.data(), packed_.size(), plain_.data(), length);
    if (ZSTD_isError(size) != 0U)
      return fail(ErrorKind::internal, fmt::format("compressing: {}", ZSTD_getErrorName(size)));
    append_frame(index_, FrameEntry{begin_, written_, time_}, changed_);
    ++frames_;
    SW_CHECK(os::write_all(out_.get(), {packed_.data(), size}));
    written_ += size;
    return {};
  }

  os::Fd in_;
  os::Fd out_;
  std::unique_ptr<ZSTD_CCtx, FreeContext> context_;
  std::string plain_;
  std::string packed_;
  std::string index_;
  std::uint32_t frames_ = 0;
  std::uint64_t written_ = 0;
  // The frame being gathered: where it begins, and what its index entry says.
  std::uint64_t begin_ = 0;
  std::int64_t time_ = 0;
  std::vector<StepLines> changed_;
  std::map<std::uint16_t, std::uint64_t> lines_;
};

Result<void> check(const os::CallLimit& limit) {
  if (limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "sealing a journal was stopped");
  if (os::Clock::now() >= limit.deadline) return fail(ErrorKind::timeout, "sealing a journal took too long");
  return {};
}

/// Cuts at each checkpoint; where damage hides them, at records.
Result<void> cut_frames(Sealer& sealer, Reader& reader, const os::CallLimit& limit) {
  for (;;) {
    SW_TRY(const Next next, reader.next());
    if (next.what == Next::What::end || next.what == Next::What::torn) return {};
    const bool is_checkpoint = next.what == Next::What::record && next.record.type == RecordType::checkpoint;
    if (!is_checkpoint && next.offset - sealer.begin() < kMostFrame) continue;
    const auto checkpoint = is_checkpoint ? parse_checkpoint(next.record.payload) : std::nullopt;
    // Damage may be long: frames stay short all the same.
    while (next.offset - sealer.begin() > 2 * kMostFrame)
      SW_CHECK(sealer.cut(sealer.begin() + kMostFrame, nullptr, {}));
    SW_CHECK(sealer.cut(next.offset, checkpoint ? &*checkpoint : nullptr, next.record.time));
    SW_CHECK(check(limit));
  }
}

Result<void> sync_directory(const std::filesystem::path& directory) {
  SW_TRY(const os::Fd fd, os::open_file(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return fail_errno(errno, "syncing " + directory.string());
  return {};
}

Result<Sealed> sizes_of(const std::filesystem::path& sealed) {
  SW_TRY(os::Fd file, os::open_file(sealed, O_RDONLY));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, sealed.string());
  SW_TRY(const auto source, sealed_source(std::move(file)));
  SW_TRY(const std::uint64_t bytes, source->size());
  return Sealed{bytes, static_cast<std::uint64_t>(status.st_size)};
}

}  // namespace

Result<Sealed> seal(const std::filesystem::path& journal, const os::CallLimit& limit) {
  const std::filesystem::path sealed = journal.string() + std::string(kSealedSuffix);
  const std::filesystem::path part = sealed.string() + ".part";
  auto in = os::open_file(journal, O_RDONLY);
  if (!in && in.error().kind == ErrorKind::not_found) return sizes_of(sealed);
  if (!in) return std::unexpected(in.error());
  struct stat status{};
  if (::fstat(in->get(), &status) != 0) return fail_errno(errno, "sealing " + journal.string());
  const auto size = static_cast<std::uint64_t>(status.st_size);
  SW_CHECK(check(limit));

  SW_TRY(os::Fd reading, os::open_file(journal, O_RDONLY));
  SW_TRY(Reader reader, Reader::open_plain(std::move(reading)));
  SW_TRY(os::Fd out, os::open_file(part, O_WRONLY | O_CREAT | O_TRUNC, status.st_mode & 0777));
  ScopeExit undo([&] { ::unlink(part.c_str()); });
  Sealer sealer(std::move(*in), std::move(out));
  SW_CHECK(sealer.start());
  SW_CHECK(cut_frames(sealer, reader, limit));
  SW_TRY(const std::uint64_t compressed, sealer.finish(size));
  if (::rename(part.c_str(), sealed.c_str()) != 0) return fail_errno(errno, "sealing " + journal.string());
  undo.release();
  // The new name has to be on the disk before the old one goes.
  SW_CHECK(sync_directory(sealed.parent_path()));
  if (::unlink(journal.c_str()) != 0) return fail_errno(errno, "removing " + journal.string());
  return Sealed{size, compressed};
}

Result<std::unique_ptr<Source>> open_source(const std::filesystem::path& journal) {
  auto plain = os::open_file(journal, O_RDONLY);
  if (plain) return plain_source(std::move(*plain));
  if (plain.error().kind != ErrorKind::not_found) return std::unexpected(plain.error());
  auto sealed = os::open_file(journal.string() + std::string(kSealedSuffix), O_RDONLY);
  if (!sealed) return std::unexpected(plain.error());  // names the journal as the caller knows it
  return sealed_source(std::move(*sealed));
}

Result<Reader> open_reader(const std::filesystem::path& journal) {
  SW_TRY(auto source, open_source(journal));
  return Reader::open(std::move(source));
}

}  // namespace slipway::journal
