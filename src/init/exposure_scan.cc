#include "init/exposure_scan.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace slipway::init {

namespace {

constexpr std::uint64_t kTurnBytes = 4ULL << 20U;

}  // namespace

Result<ExposureScan> ExposureScan::begin(int journal, std::string_view value, std::uint64_t upto) {
  os::Fd copy(::fcntl(journal, F_DUPFD_CLOEXEC, 3));
  if (!copy) return fail_errno(errno, "reading the journal");
  SW_TRY(journal::Reader reader, journal::Reader::open_plain(std::move(copy)));
  return ExposureScan(std::move(reader), value, upto);
}

ExposureScan::ExposureScan(journal::Reader reader, std::string_view value, std::uint64_t upto)
    : reader_(std::move(reader)), secret_(std::make_unique<secrets::SecretSet>()), upto_(upto) {
  (void)secret_->add(value);  // a weak one is never scanned for
}

void ExposureScan::note(std::uint16_t step, const secrets::MaskingStream& stream) {
  const bool known = std::ranges::find(exposed_, step) != exposed_.end();
  if (stream.masked_count() > 0 && !known) exposed_.push_back(step);
}

void ExposureScan::feed(Streams& streams, std::uint16_t step, journal::RecordType type, std::string_view bytes) {
  std::string masked;
  auto stream = streams.try_emplace(std::pair(step, type), *secret_).first;
  stream->second.feed(bytes, masked);
  note(step, stream->second);
}

void ExposureScan::finish(Streams& streams) {
  std::string masked;
  for (auto& [key, stream] : streams) {
    stream.finish(masked);
    note(key.first, stream);
  }
}

void ExposureScan::look_at_tail(std::uint16_t step, journal::RecordType type, std::string_view bytes) {
  feed(tails_, step, type, bytes);
}

Result<ExposureScan::State> ExposureScan::go_on() {
  const std::uint64_t until = std::min(upto_, reader_.position() + kTurnBytes);
  while (reader_.position() < until) {
    SW_TRY(const journal::Next next, reader_.next());
    if (next.what == journal::Next::What::end || next.what == journal::Next::What::torn) break;
    if (next.what != journal::Next::What::record || !journal::is_output(next.record.type)) continue;
    feed(streams_, next.record.step, next.record.type, next.record.payload);
  }
  if (reader_.position() < upto_ && reader_.position() >= until) return State::more;
  finish(streams_);
  finish(tails_);
  return State::done;
}

}  // namespace slipway::init
