#include "init/record_keeper.h"

#include "base/wall_clock.h"

namespace slipway::init {

RecordKeeper::RecordKeeper(journal::Writer writer, std::optional<journal::TailRing> ring)
    : writer_(std::move(writer)), ring_(std::move(ring)), sync_(writer_.fd()) {}

Result<std::unique_ptr<RecordKeeper>> RecordKeeper::create(os::Fd journal, os::Fd ring, journal::LogCap cap) {
  SW_TRY(journal::Writer writer, journal::Writer::create(std::move(journal)));
  std::optional<journal::TailRing> tail;
  if (ring && cap.tail_bytes > 0) {
    SW_TRY(journal::TailRing made, journal::TailRing::create(std::move(ring), cap.tail_bytes));
    tail.emplace(std::move(made));
  }
  std::unique_ptr<RecordKeeper> keeper(new RecordKeeper(std::move(writer), std::move(tail)));  // private constructor
  keeper->log_.emplace(keeper->writer_, keeper->ring_ ? &*keeper->ring_ : nullptr, cap);
  return keeper;
}

std::string RecordKeeper::masked(std::string_view text) const {
  secrets::MaskingStream stream(secrets_);
  std::string out;
  stream.feed(text, out);
  stream.finish(out);
  return out;
}

std::string RecordKeeper::masked_cut(std::string_view text, std::size_t most) const {
  constexpr std::size_t kTrimmed = 16;  // of a character that was cut, and blanks at the ends
  if (text.size() + kTrimmed < most) return masked(text);
  std::string out;
  secrets::MaskingStream stream(secrets_);
  stream.feed(text, out);
  if (stream.held_bytes() > 0) out += "...";
  return out;
}

std::string RecordKeeper::title_of(std::string_view command) const {
  constexpr std::size_t kMost = 200;
  std::string title = masked(command);
  if (title.size() <= kMost) return title;
  title.resize(kMost);
  return title;
}

void RecordKeeper::append_text(journal::RecordType type, std::uint16_t step, std::string_view payload) {
  if (!writer_.append(type, step, 0, wall_now(), payload)) broken_ = true;
}

void RecordKeeper::notice(std::uint16_t step, std::string code, std::string_view message) {
  append(journal::RecordType::notice, step, wire::payload::Notice{std::move(code), masked(message)});
}

void RecordKeeper::output(std::uint16_t step, journal::Stream stream, std::string_view bytes, std::uint8_t flags) {
  if (!bytes.empty()) log_->output(step, stream, flags, bytes, wall_now());
}

void RecordKeeper::end_step_output(std::uint16_t step) {
  if (!log_->step_end(step, wall_now())) broken_ = true;
}

Result<void> RecordKeeper::look_at_tails(const journal::TailRing::Visit& visit) const {
  return ring_ ? ring_->look(visit) : Result<void>();
}

void RecordKeeper::flush() {
  if (!writer_.flush()) broken_ = true;
}

void RecordKeeper::start_sync() {
  flush();
  sync_asked_ = false;
  sync_.request();
}

void RecordKeeper::close() {
  sync_.stop();
  if (!writer_.close_on_disk()) broken_ = true;
}

}  // namespace slipway::init
