#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

/// The journal: everything that happened in one attempt, written once, only ever copied afterwards.
///
/// File: 8 bytes magic `SLIPJNL1`, u32 seed (random), u32 crc32c of these 12 bytes; then records. Little endian.
///   u32 length     of the payload, at most kMaxPayload
///   u8  type       RecordType
///   u8  flags      bit 0: output of a sibling (origin `source`)
///   u16 step       index of the step; kNoStep: the attempt as a whole
///   u64 time       µs since the epoch
///   ... payload
///   u32 crc32c     of all the above, started from the file's seed
/// A torn last record is cut on recovery; any other bad crc is reported. A checkpoint stands every 1 MiB.
/// The seed is why a reader may resume behind damage at any record that verifies: a job prints what it likes, but
/// cannot print a record that verifies, for it never sees the seed. (Rejected: resuming at checkpoints only, which
/// loses up to 1 MiB more; a marker in each record, which costs every small record 8 bytes.)
/// Payloads but `output`, `truncation` and `checkpoint` are one JSON object each, specified in wire/journal_json.h.
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
  truncation = 12,  ///< struct Truncation
  group = 13,
  checkpoint = 14,  ///< struct Checkpoint
  notice = 15,      ///< from Slipway to people: a refused secret, a limit that does not hold
  attempt_finished = 16,
  tests = 17,
};

enum class Stream : std::uint8_t { out, err };

inline constexpr std::string_view kMagic = "SLIPJNL1";
inline constexpr std::size_t kFileHeaderBytes = 16;
inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kTrailerBytes = 4;
inline constexpr std::uint32_t kMaxPayload = 1U << 20U;
inline constexpr std::uint16_t kNoStep = 0xFFFF;
inline constexpr std::uint8_t kFromSource = 1;
inline constexpr std::size_t kCheckpointEvery = 1U << 20U;
inline constexpr std::size_t kLongestLine = 64U << 10U;  ///< a longer line is split (journal/lines.h)

struct Record {
  RecordType type = RecordType::notice;
  std::uint8_t flags = 0;
  std::uint16_t step = kNoStep;
  Time time{};
  std::string_view payload;  ///< valid until the reader moves on
};

constexpr bool is_output(RecordType type) {
  return type == RecordType::output_stdout || type == RecordType::output_stderr;
}
constexpr RecordType output_type(Stream stream) {
  return stream == Stream::out ? RecordType::output_stdout : RecordType::output_stderr;
}

/// Payload of `truncation`: two u64. Both count bytes of the step's output since its start.
struct Truncation {
  std::uint64_t lost = 0;  ///< gone for good
  std::uint64_t held = 0;  ///< in the tail ring: appended when the step ends, or lost by then
};
std::string encode(const Truncation& truncation);
std::optional<Truncation> parse_truncation(std::string_view payload);

/// Where a line that has no end yet begins. `bytes` 0: no line is open.
struct OpenLine {
  std::uint64_t record = 0;  ///< offset of the record that holds the line's first byte
  std::uint32_t skip = 0;    ///< bytes of that record's payload before it
  std::uint32_t bytes = 0;   ///< its length so far
};

/// What is known of a step at one place of the journal. A line counts when it ends: by its newline, at
/// kLongestLine, by bytes lost behind it, or by the end of its step.
struct StepCount {
  std::uint16_t step = kNoStep;
  bool running = false;
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;         ///< of output in the journal
  std::uint64_t lost = 0;          ///< as in the last truncation record
  std::array<OpenLine, 2> open{};  ///< by Stream
};

/// The live index: every kCheckpointEvery the writer notes where it stands. `self` lets a search in raw bytes tell a
/// checkpoint from output that looks like one; `previous` makes a chain back to the start (0: none before).
/// Payload: u64 self, u64 previous, u32 count, then per step: u16 step, u16 running, u32 0, u64 lines, u64 bytes,
/// u64 lost, then for stdout and stderr u64 record, u32 skip, u32 bytes.
struct Checkpoint {
  std::uint64_t self = 0;
  std::uint64_t previous = 0;
  std::vector<StepCount> steps;  ///< every step that has started
};
std::string encode(const Checkpoint& checkpoint);
std::optional<Checkpoint> parse_checkpoint(std::string_view payload);

/// The last four bytes of a record. `header` is its first kHeaderBytes.
std::uint32_t record_crc(std::uint32_t seed, std::string_view header, std::string_view payload);

/// A record's first kHeaderBytes, without its payload; nothing for what cannot be a record.
struct Header {
  std::uint32_t length = 0;
  Record record;
};
void encode_header(const Header& header, char* to);
std::optional<Header> parse_header(std::string_view bytes);

/// The file's first kFileHeaderBytes; the seed in them, or nothing when they are not a journal's.
std::string encode_file_header(std::uint32_t seed);
std::optional<std::uint32_t> parse_file_header(std::string_view bytes);

}  // namespace slipway::journal
