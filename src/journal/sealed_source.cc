#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "journal/seal.h"
#include "journal/sealed_format.h"

namespace slipway::journal {
namespace {

constexpr std::string_view kIndexMagic = "SLIPIDX1";
constexpr std::uint32_t kSkippable = 0x184D2A5E;
constexpr std::size_t kMostFrameBytes = 64U << 20U;  // of a file that we did not write

template <class T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
bool take(std::string_view& from, T& value) {
  if (from.size() < sizeof value) return false;
  std::memcpy(&value, from.data(), sizeof value);
  from.remove_prefix(sizeof value);
  return true;
}

Result<std::string> read_range(int fd, std::uint64_t offset, std::size_t bytes) {
  std::string range(bytes, '\0');
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(fd, range.data() + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "reading a sealed journal");
    if (got == 0) return fail(ErrorKind::internal, "a sealed journal is cut short");
    done += static_cast<std::size_t>(got);
  }
  return range;
}

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

class SealedSource final : public Source {
 public:
  SealedSource(os::Fd file, std::string index, std::vector<FrameEntry> frames, const Footer& footer, std::uint64_t end)
      : file_(std::move(file)),
        index_(std::move(index)),
        frames_(std::move(frames)),
        size_(footer.journal_bytes),
        compressed_end_(end),
        context_(ZSTD_createDCtx()) {}

  Result<std::size_t> read_at(std::uint64_t offset, char* to, std::size_t most) override {
    std::size_t done = 0;
    while (done < most && offset + done < size_) {
      const std::uint64_t at = offset + done;
      const auto behind =
          std::upper_bound(frames_.begin(), frames_.end(), at,
                           [](std::uint64_t value, const FrameEntry& frame) { return value < frame.offset; });
      const auto index = static_cast<std::size_t>(behind - frames_.begin()) - 1;
      SW_CHECK(load(index));
      const auto skip = static_cast<std::size_t>(at - frames_[index].offset);
      const std::size_t count = std::min(most - done, frame_.size() - skip);
      std::memcpy(to + done, frame_.data() + skip, count);
      done += count;
    }
    return done;
  }

  Result<std::uint64_t> size() override { return size_; }
  bool has_index() const override { return true; }

  std::optional<std::uint64_t> find_checkpoint(const CheckpointQuery& query) const override {
    std::optional<std::uint64_t> best;
    std::uint64_t lines = 0;
    for (IndexWalk walk(index_); walk.next();) {
      for (const auto& [step, count] : walk.changed) {
        if (query.step == step) lines = count;
      }
      if (walk.frame.time == 0) continue;
      if (walk.frame.offset >= query.before || lines > query.most_lines) break;  // neither ever shrinks
      if (query.earlier_than && walk.frame.time >= to_micros(*query.earlier_than)) continue;
      best = walk.frame.offset;
    }
    return best;
  }

 private:
  /// Makes frame_ hold frame `index`.
  Result<void> load(std::size_t index) {
    if (loaded_ == index) return {};
    loaded_.reset();
    const bool last = index + 1 == frames_.size();
    const std::uint64_t end = last ? size_ : frames_[index + 1].offset;
    const std::uint64_t compressed_end = last ? compressed_end_ : frames_[index + 1].compressed_offset;
    const FrameEntry& frame = frames_[index];
    SW_TRY(const std::string packed, read_range(file_.get(), frame.compressed_offset,
                                                static_cast<std::size_t>(compressed_end - frame.compressed_offset)));
    frame_.resize(static_cast<std::size_t>(end - frame.offset));
    const std::size_t got = context_ == nullptr ? 0
                                                : ZSTD_decompressDCtx(context_.get(), frame_.data(), frame_.size(),
                                                                      packed.data(), packed.size());
    if (got != frame_.size()) {
      return fail(ErrorKind::internal, fmt::format("a sealed journal is damaged in its frame at {}", frame.offset));
    }
    loaded_ = index;
    return {};
  }

  os::Fd file_;
  std::string index_;
  std::vector<FrameEntry> frames_;
  std::uint64_t size_;
  std::uint64_t compressed_end_;  // of the frames; the index is behind
  std::unique_ptr<ZSTD_DCtx, FreeContext> context_;
  std::string frame_;
  std::optional<std::size_t> loaded_;
};

/// Frames in order, each of some length and not absurdly long, all within the file.
bool plausible(const std::vector<FrameEntry>& frames, const Footer& footer, std::uint64_t compressed_end) {
  if (frames.size() != footer.frames) return false;
  if (frames.empty()) return footer.journal_bytes == 0;
  if (frames.front().offset != 0 || frames.front().compressed_offset != 0) return false;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const bool last = i + 1 == frames.size();
    const std::uint64_t end = last ? footer.journal_bytes : frames[i + 1].offset;
    const std::uint64_t packed_end = last ? compressed_end : frames[i + 1].compressed_offset;
    if (end <= frames[i].offset || end - frames[i].offset > kMostFrameBytes) return false;
    if (packed_end <= frames[i].compressed_offset || packed_end - frames[i].compressed_offset > kMostFrameBytes)
      return false;
  }
  return true;
}

}  // namespace

void append_frame(std::string& index, const FrameEntry& frame, const std::vector<StepLines>& changed) {
  put(index, frame.offset);
  put(index, frame.compressed_offset);
  put(index, frame.time);
  put(index, static_cast<std::uint32_t>(changed.size()));
  for (const auto& [step, lines] : changed) {
    put(index, step);
    put(index, lines);
  }
}

std::string skippable_header(std::size_t bytes) {
  std::string header;
  put(header, kSkippable);
  put(header, static_cast<std::uint32_t>(bytes));
  return header;
}

std::string encode(const Footer& footer, std::string_view index) {
  std::string bytes;
  put(bytes, footer.index_bytes);
  put(bytes, footer.journal_bytes);
  put(bytes, footer.frames);
  put(bytes, crc32c(crc32c(0, index), bytes));
  return bytes.append(kIndexMagic);
}

Result<Footer> parse_footer(std::string_view bytes) {
  Footer footer;
  std::string_view rest = bytes;
  if (bytes.size() != kFooterBytes || !bytes.ends_with(kIndexMagic) || !take(rest, footer.index_bytes) ||
      !take(rest, footer.journal_bytes) || !take(rest, footer.frames)) {
    return fail(ErrorKind::invalid, "not a sealed journal");
  }
  if (footer.index_bytes > kMostIndexBytes) return fail(ErrorKind::invalid, "a sealed journal's index is too large");
  return footer;
}

bool index_verifies(std::string_view index, std::string_view footer) {
  std::uint32_t crc = 0;
  std::memcpy(&crc, footer.data() + 20, sizeof crc);
  return crc == crc32c(crc32c(0, index), footer.substr(0, 20));
}

bool IndexWalk::next() {
  std::uint32_t count = 0;
  if (!take(rest_, frame.offset) || !take(rest_, frame.compressed_offset) || !take(rest_, frame.time) ||
      !take(rest_, count) || rest_.size() / 10 < count) {
    return false;
  }
  changed.resize(count);
  for (auto& [step, lines] : changed) {
    if (!take(rest_, step) || !take(rest_, lines)) return false;
  }
  return true;
}

Result<std::unique_ptr<Source>> sealed_source(os::Fd file) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "opening a sealed journal");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size < kFooterBytes + 8) return fail(ErrorKind::invalid, "not a sealed journal");
  SW_TRY(const std::string footer_bytes, read_range(file.get(), size - kFooterBytes, kFooterBytes));
  SW_TRY(const Footer footer, parse_footer(footer_bytes));
  if (footer.index_bytes > size - kFooterBytes - 8) return fail(ErrorKind::invalid, "not a sealed journal");
  const std::uint64_t index_at = size - kFooterBytes - footer.index_bytes;
  SW_TRY(std::string index, read_range(file.get(), index_at, static_cast<std::size_t>(footer.index_bytes)));
  SW_TRY(const std::string head, read_range(file.get(), index_at - 8, 8));
  std::vector<FrameEntry> frames;
  for (IndexWalk walk(index); walk.next();) frames.push_back(walk.frame);
  if (head != skippable_header(index.size() + kFooterBytes) || !index_verifies(index, footer_bytes) ||
      !plausible(frames, footer, index_at - 8)) {
    return fail(ErrorKind::internal, "the index of a sealed journal is damaged");
  }
  return std::make_unique<SealedSource>(std::move(file), std::move(index), std::move(frames), footer, index_at - 8);
}

}  // namespace slipway::journal
