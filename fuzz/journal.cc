// Any bytes as a journal file, as they are and behind a right file header: reading ends, offsets only grow, and no
// record or line points outside.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "journal/lines.h"
#include "journal/reader.h"

using namespace slipway;

namespace {

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
  if (total > bytes.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const std::string& file : {bytes, std::string(journal::kMagic) + bytes}) {
    read_records(file);
    read_lines(file);
  }
  return 0;
}
