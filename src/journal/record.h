#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

/// The journal: everything that happened in one attempt, written once, only ever copied afterwards.
///
/// File: 8 bytes magic `SLIPJNL1`, then records. All integers little endian.
///   u32 length     of the payload, at most kMaxPayload
///   u8  type       RecordType
///   u8  flags      bit 0: output of a sibling (origin `source`)
///   u16 step       index of the step; kNoStep: the attempt as a whole
///   u64 time       µs since the epoch
///   ... payload
///   u32 crc32c     of all the above
/// A torn last record is cut on recovery; any other bad crc is reported. A checkpoint stands every 1 MiB.
/// Payloads but `output` and `truncation` are one JSON object each, specified in wire/journal_json.h.
namespace slipway::journal {

enum class RecordType : std::uint8_t {
  attempt_started = 1,
  step_started = 2,
  output_stdout = 3,
  output_stderr = 4,
  step_finished = 5,
  trigger = 6,
  output_variable = 7,
  annotation = 8,
  artifact = 9,
  secret_registered = 10,  ///< no value, only that one was
  resource_sample = 11,
  truncation = 12,         ///< u64: bytes of the step dropped so far
  group = 13,
  checkpoint = 14,         ///< per step: lines and bytes so far
  notice = 15,             ///< from Slipway to people: a refused secret, a limit that does not hold
  attempt_finished = 16,
};

inline constexpr std::string_view kMagic = "SLIPJNL1";
inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kTrailerBytes = 4;
inline constexpr std::uint32_t kMaxPayload = 1U << 20U;
inline constexpr std::uint16_t kNoStep = 0xFFFF;
inline constexpr std::uint8_t kFromSource = 1;
inline constexpr std::size_t kCheckpointEvery = 1U << 20U;

struct Record {
  RecordType type = RecordType::notice;
  std::uint8_t flags = 0;
  std::uint16_t step = kNoStep;
  Time time{};
  std::string_view payload;  ///< valid until the reader moves on
};

}  // namespace slipway::journal
