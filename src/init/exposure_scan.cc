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

Result<ExposureScan::State> ExposureScan::go_on() {
  const std::uint64_t until = std::min(upto_, reader_.position() + kTurnBytes);
  std::string masked;
  while (reader_.position() < until) {
    SW_TRY(const journal::Next next, reader_.next());
    if (next.what == journal::Next::What::end || next.what == journal::Next::What::torn) return State::done;
    if (next.what != journal::Next::What::record || !journal::is_output(next.record.type)) continue;
    const std::pair key(next.record.step, next.record.type);
    auto stream = streams_.try_emplace(key, *secret_).first;
    masked.clear();
    stream->second.feed(next.record.payload, masked);
    const bool known = std::ranges::find(exposed_, next.record.step) != exposed_.end();
    if (stream->second.masked_count() > 0 && !known) exposed_.push_back(next.record.step);
  }
  if (reader_.position() < upto_) return State::more;
  for (auto& [key, stream] : streams_) {
    masked.clear();
    stream.finish(masked);
    const bool known = std::ranges::find(exposed_, key.first) != exposed_.end();
    if (stream.masked_count() > 0 && !known) exposed_.push_back(key.first);
  }
  return State::done;
}

}  // namespace slipway::init
