#include "journal/step_log.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace slipway::journal {
namespace {

constexpr Duration kSayEvery = std::chrono::seconds(1);
constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

}  // namespace

StepLog::StepLog(Writer& writer, TailRing* ring, LogCap cap) : writer_(writer), ring_(ring), cap_(cap) {}

void StepLog::output(std::uint16_t step, Stream stream, std::uint8_t flags, std::string_view bytes, Time now) {
  if (bytes.empty()) return;
  State& state = steps_[step];
  Record record{output_type(stream), flags, step, now, bytes};
  if (!state.past_head) record.payload = keep(step, state, record);
  if (state.past_head) push(record);
  say_if_due(now);
}

/// Puts what the head still takes into the journal; what is behind the head is returned.
std::string_view StepLog::keep(std::uint16_t step, State& state, const Record& record) {
  std::string_view rest = record.payload;
  while (!rest.empty()) {
    const std::uint64_t own_room = cap_.head_bytes - std::min(state.kept, cap_.head_bytes);
    const std::uint64_t room = std::min(own_room, shared_room(step));
    if (room == 0) {
      state.past_head = true;
      return rest;
    }
    Record piece = record;
    piece.payload = rest.substr(0, std::min<std::uint64_t>(room, kMaxPayload));
    // After a gap the reader has to learn of it before it sees what follows.
    const bool gap = state.lost != state.what_was_said.lost;
    const bool room_on_disk = writer_.has_room(piece.payload.size(), piece.time);
    if (!room_on_disk || (gap && !say(step, state, piece.time)) || !append(state, piece)) {
      state.lost += piece.payload.size();
    }
    rest.remove_prefix(piece.payload.size());
  }
  return rest;
}

bool StepLog::append(State& state, const Record& record) {
  if (!writer_.append(record.type, record.step, record.flags, record.time, record.payload)) return false;
  state.kept += record.payload.size();
  if (record.step >= shared_from_) shared_left_ -= std::min<std::uint64_t>(shared_left_, record.payload.size());
  return true;
}

void StepLog::share_from(std::uint16_t first, std::uint64_t bytes) {
  shared_from_ = first;
  shared_left_ = bytes;
}

std::uint64_t StepLog::shared_room(std::uint16_t step) const {
  return step >= shared_from_ && step != kNoStep ? shared_left_ : kMost;
}

void StepLog::push(const Record& record) {
  std::string_view rest = record.payload;
  State& state = steps_[record.step];
  if (ring_ == nullptr) {
    state.lost += rest.size();
    return;
  }
  while (!rest.empty()) {
    TailRing::Piece piece{record, state.kept + state.lost + state.held};
    piece.record.payload = rest.substr(0, ring_->most_bytes());
    rest.remove_prefix(piece.record.payload.size());
    state.held += piece.record.payload.size();
    ring_->push(piece, [this](std::uint16_t step, std::uint64_t bytes) {
      State& loser = steps_[step];
      loser.held -= bytes;
      loser.lost += bytes;
    });
  }
}

Result<void> StepLog::say(std::uint16_t step, State& state, Time now) {
  const Truncation truncation{state.lost, state.held};
  SW_CHECK(writer_.append(RecordType::truncation, step, 0, now, encode(truncation)));
  state.said = now;
  state.what_was_said = truncation;
  return {};
}

/// Any step may have lost bytes to the one that prints just now: they share the ring.
void StepLog::say_if_due(Time now) {
  for (auto& [step, state] : steps_) {
    const bool news = state.lost != state.what_was_said.lost || state.held != state.what_was_said.held;
    const bool due = !state.said || now - *state.said >= kSayEvery || now < *state.said;
    if (!news || !due) continue;
    state.said = now;             // also when the disk is too full for it: once a second is often enough to try
    (void)say(step, state, now);  // the next one, or that of the step's end, tells the same
  }
}

Result<void> StepLog::step_end(std::uint16_t step, Time now) {
  const auto found = steps_.find(step);
  if (found == steps_.end()) return {};
  State& state = found->second;
  if (state.lost != state.what_was_said.lost) SW_CHECK(say(step, state, now));
  if (state.held > 0 && ring_ != nullptr) {
    std::uint64_t left = std::exchange(state.held, 0);
    state.what_was_said.held = 0;
    const auto taken = ring_->take(step, [&](const TailRing::Piece& piece) -> Result<void> {
      const std::size_t bytes = piece.record.payload.size();
      left -= std::min<std::uint64_t>(left, bytes);
      if (shared_room(step) < bytes || !writer_.has_room(bytes, now) || !append(state, piece.record))
        state.lost += bytes;
      return {};
    });
    if (!taken) state.lost += left;  // a damaged ring
    if (state.lost != state.what_was_said.lost) SW_CHECK(say(step, state, now));
    SW_CHECK(taken);
  }
  return writer_.flush();
}

std::uint64_t StepLog::lost_bytes(std::uint16_t step) const {
  const auto found = steps_.find(step);
  return found == steps_.end() ? 0 : found->second.lost;
}

}  // namespace slipway::journal
