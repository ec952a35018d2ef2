#include "journal/record.h"

#include <bit>
#include <cstring>

#include "base/crc32c.h"

namespace slipway::journal {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little endian and is copied as it lies");

template <class T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Takes values off the front of `bytes`; the caller has checked the length.
template <class T>
T take(std::string_view& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

constexpr std::size_t kCheckpointHead = 20;
constexpr std::size_t kStepBytes = 64;

}  // namespace

std::string encode(const Truncation& truncation) {
  std::string payload;
  put(payload, truncation.lost);
  put(payload, truncation.held);
  return payload;
}

std::optional<Truncation> parse_truncation(std::string_view payload) {
  if (payload.size() != 16) return std::nullopt;
  Truncation truncation;
  truncation.lost = take<std::uint64_t>(payload);
  truncation.held = take<std::uint64_t>(payload);
  return truncation;
}

std::string encode(const Checkpoint& checkpoint) {
  std::string payload;
  payload.reserve(kCheckpointHead + checkpoint.steps.size() * kStepBytes);
  put(payload, checkpoint.self);
  put(payload, checkpoint.previous);
  put(payload, static_cast<std::uint32_t>(checkpoint.steps.size()));
  for (const StepCount& step : checkpoint.steps) {
    put(payload, step.step);
    put(payload, static_cast<std::uint16_t>(step.running ? 1 : 0));
    put(payload, std::uint32_t{0});
    put(payload, step.lines);
    put(payload, step.bytes);
    put(payload, step.lost);
    for (const OpenLine& open : step.open) {
      put(payload, open.record);
      put(payload, open.skip);
      put(payload, open.bytes);
    }
  }
  return payload;
}

std::optional<Checkpoint> parse_checkpoint(std::string_view payload) {
  if (payload.size() < kCheckpointHead) return std::nullopt;
  Checkpoint checkpoint;
  checkpoint.self = take<std::uint64_t>(payload);
  checkpoint.previous = take<std::uint64_t>(payload);
  const auto count = take<std::uint32_t>(payload);
  if (payload.size() != std::size_t{count} * kStepBytes || checkpoint.previous >= checkpoint.self) return std::nullopt;
  checkpoint.steps.resize(count);
  for (StepCount& step : checkpoint.steps) {
    step.step = take<std::uint16_t>(payload);
    step.running = take<std::uint16_t>(payload) != 0;
    (void)take<std::uint32_t>(payload);  // padding
    step.lines = take<std::uint64_t>(payload);
    step.bytes = take<std::uint64_t>(payload);
    step.lost = take<std::uint64_t>(payload);
    for (OpenLine& open : step.open) {
      open.record = take<std::uint64_t>(payload);
      open.skip = take<std::uint32_t>(payload);
      open.bytes = take<std::uint32_t>(payload);
    }
  }
  return checkpoint;
}

std::uint32_t record_crc(std::uint32_t seed, std::string_view header, std::string_view payload) {
  return crc32c(crc32c(seed, header), payload);
}

void encode_header(const Header& header, char* to) {
  const std::int64_t time = to_micros(header.record.time);
  std::memcpy(to, &header.length, 4);
  to[4] = static_cast<char>(header.record.type);
  to[5] = static_cast<char>(header.record.flags);
  std::memcpy(to + 6, &header.record.step, 2);
  std::memcpy(to + 8, &time, 8);
}

std::optional<Header> parse_header(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  Header header;
  header.length = take<std::uint32_t>(bytes);
  const auto type = take<std::uint8_t>(bytes);
  header.record.type = static_cast<RecordType>(type);
  header.record.flags = take<std::uint8_t>(bytes);
  header.record.step = take<std::uint16_t>(bytes);
  header.record.time = from_micros(take<std::int64_t>(bytes));
  const bool known = type >= 1 && type <= static_cast<std::uint8_t>(RecordType::tests);
  if (header.length > kMaxPayload || !known || header.record.flags > kFromSource) return std::nullopt;
  return header;
}

std::string encode_file_header(std::uint32_t seed) {
  std::string bytes(kMagic);
  put(bytes, seed);
  put(bytes, crc32c(0, bytes));
  return bytes;
}

std::optional<std::uint32_t> parse_file_header(std::string_view bytes) {
  if (bytes.size() < kFileHeaderBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  std::string_view rest = bytes.substr(kMagic.size());
  const auto seed = take<std::uint32_t>(rest);
  const auto crc = take<std::uint32_t>(rest);
  if (crc != crc32c(0, bytes.substr(0, 12))) return std::nullopt;
  return seed;
}

}  // namespace slipway::journal
