// Any bytes as a journal: as a whole file, as what stands behind a right file header, and as records with right
// checksums around hostile headers and payloads. Reading ends, offsets only grow, and no record or line points outside.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "journal/lines.h"
#include "journal/reader.h"

using namespace slipway;

namespace {

constexpr std::uint32_t kSeed = 7;

/// The input cut into records: 4 bytes of type, flags, step and length, then so many bytes of payload.
std::string records_of(std::string_view input) {
  std::string out;
  while (input.size() >= 4) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
    const std::string_view payload = input.substr(4, byte(3));
    const journal::Header header{.length = static_cast<std::uint32_t>(payload.size()),
                                 .record = {.type = static_cast<journal::RecordType>(1 + byte(0) % 16),
                                            .flags = byte(1),
                                            .step = static_cast<std::uint16_t>(byte(2) % 5),
                                            .time = Time{},
                                            .payload = {}}};
    std::string head(journal::kHeaderBytes, '\0');
    journal::encode_header(header, head.data());
    const std::uint32_t crc = journal::record_crc(kSeed, head, payload);
    out.append(head).append(payload);
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(crc >> shift & 0xFFU));
    input.remove_prefix(4 + payload.size());
  }
  return out;
}

class MemorySource final : public journal::Source {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> read_at(std::uint64_t offset, char* to, std::size_t most) override {
    if (offset >= bytes_.size()) return 0;
    const std::size_t count = std::min(most, bytes_.size() - static_cast<std::size_t>(offset));
    std::memcpy(to, bytes_.data() + offset, count);
    return count;
  }
  Result<std::uint64_t> size() override { return bytes_.size(); }
  bool has_index() const override { return false; }
  std::optional<std::uint64_t> find_checkpoint(const journal::CheckpointQuery&) const override { return std::nullopt; }

 private:
  std::string bytes_;
};

void read_records(const std::string& bytes) {
  auto reader = journal::Reader::open(std::make_unique<MemorySource>(bytes));
  if (!reader) return;
  (void)reader->find_checkpoint({.step = 1, .most_lines = 3});  // whatever it says: it must come back
  std::uint64_t before = reader->position();
  for (;;) {
    const auto next = reader->next();
    if (!next) std::abort();  // memory gives no errors
    if (next->what == journal::Next::What::end || next->what == journal::Next::What::torn) return;
    if (reader->position() <= before || reader->position() > bytes.size()) std::abort();
    before = reader->position();
  }
}

void read_lines(const std::string& bytes) {
  auto lines = journal::LineReader::open(std::make_unique<MemorySource>(bytes), {});
  if (!lines) return;
  std::size_t total = 0;
  for (;;) {
    const auto next = lines->next();
    if (!next) std::abort();
    if (next->what == journal::LineReader::Next::What::end) break;
    if (next->what == journal::LineReader::Next::What::line) total += next->line.text.size();
  }
  while (const auto line = lines->take_open_line()) total += line->text.size();
  if (total > bytes.size()) std::abort();  // a line comes out once
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::string header = journal::encode_file_header(kSeed);
  for (const std::string& file : {bytes, header + bytes, header + records_of(bytes)}) {
    read_records(file);
    read_lines(file);
  }
  return 0;
}
