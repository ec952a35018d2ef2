#include "init/exposure_scan.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "wire/journal_json.h"

namespace slipway::init {

namespace {

constexpr std::uint64_t kTurnBytes = 4ULL << 20U;
constexpr std::size_t kMostPerByte = 6 + 256;  // \u00XX, and the escape sequences that a match may hold
constexpr std::size_t kMostStart = 1U << 20U;

/// What people and programs get to see of a record that is no output.
std::string text_of(const journal::Record& record) {
  using journal::RecordType;
  namespace payload = wire::payload;
  switch (record.type) {
    case RecordType::output_variable:
      if (const auto variable = payload::decode<payload::OutputVariable>(record.payload)) return variable->value;
      break;
    case RecordType::trigger:
      if (const auto trigger = payload::decode<payload::Trigger>(record.payload)) return trigger->json;
      break;
    default: break;
  }
  return std::string(record.payload);
}

bool has_text(journal::RecordType type) {
  using journal::RecordType;
  return type != RecordType::checkpoint && type != RecordType::truncation && type != RecordType::resource_sample;
}

}  // namespace

Result<ExposureScan> ExposureScan::begin(int journal, std::string_view value, std::uint64_t upto) {
  os::Fd copy(::fcntl(journal, F_DUPFD_CLOEXEC, 3));
  if (!copy) return fail_errno(errno, "reading the journal");
  SW_TRY(journal::Reader reader, journal::Reader::open_plain(std::move(copy)));
  return ExposureScan(std::move(reader), value, upto);
}

ExposureScan::ExposureScan(journal::Reader reader, std::string_view value, std::uint64_t upto)
    : reader_(std::move(reader)),
      secret_(std::make_unique<secrets::SecretSet>()),
      longest_(std::min(value.size() * kMostPerByte, kMostStart)),
      upto_(upto) {
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
  std::string& start = tail_starts_[{step, type}];
  start.append(bytes.substr(0, longest_ - std::min(longest_, start.size())));
}

void ExposureScan::look_at(const journal::Record& record) {
  if (journal::is_output(record.type)) return feed(streams_, record.step, record.type, record.payload);
  if (!has_text(record.type)) return;
  secrets::MaskingStream stream(*secret_);
  std::string masked;
  stream.feed(text_of(record), masked);
  stream.finish(masked);
  note(record.step, stream);
}

/// What waits in the tail follows what the journal has of the same stream.
void ExposureScan::join_tails() {
  for (const auto& [key, start] : std::exchange(tail_starts_, {})) feed(streams_, key.first, key.second, start);
}

Result<ExposureScan::State> ExposureScan::go_on() {
  const std::uint64_t until = std::min(upto_, reader_.position() + kTurnBytes);
  while (reader_.position() < until) {
    SW_TRY(const journal::Next next, reader_.next());
    if (next.what == journal::Next::What::end || next.what == journal::Next::What::torn) break;
    if (next.what == journal::Next::What::record) look_at(next.record);
  }
  if (reader_.position() < upto_ && reader_.position() >= until) return State::more;
  join_tails();
  finish(streams_);
  finish(tails_);
  return State::done;
}

}  // namespace slipway::init
