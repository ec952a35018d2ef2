#include "journal/seal.h"

#include <filesystem>
#include <random>

#include "base/ids.h"
#include "journal/lines.h"
#include "journal/test_support.h"

namespace slipway::journal {
namespace {

namespace fs = std::filesystem;

/// A journal in a directory of its own, removed at the end.
struct OnDisk {
  fs::path directory = fs::temp_directory_path() / ("journal-test-" + new_id());
  fs::path path = directory / "1.journal";
  OnDisk() { fs::create_directories(directory); }
  ~OnDisk() { fs::remove_all(directory); }

  /// Three steps one after the other, about 100 bytes a line, one line a millisecond.
  void fill(int lines) {
    Writer writer = must(Writer::create(must(os::open_file(path, O_RDWR | O_CREAT, 0600))));
    std::mt19937 random(1);
    for (int i = 0; i < lines; ++i) {
      const auto step = static_cast<std::uint16_t>(i * 3 / lines);
      std::string text = std::to_string(random()) + std::string(90, static_cast<char>('a' + i % 26));
      if (i % 5 != 0) text += '\n';
      must(writer.append(i % 7 == 0 ? RecordType::output_stderr : RecordType::output_stdout, step, 0,
                         kStart + std::chrono::milliseconds(i), text));
    }
    must(writer.append(RecordType::attempt_finished, kNoStep, 0, kStart + std::chrono::hours(1), "{}"));
    must(writer.close());
  }
};

std::vector<std::pair<std::uint64_t, std::string>> lines_from(const fs::path& path, const LineStart& start) {
  LineReader reader = must(LineReader::open(must(open_source(path)), start));
  std::vector<std::pair<std::uint64_t, std::string>> lines;
  for (;;) {
    const LineReader::Next next = must(reader.next());
    if (next.what == LineReader::Next::What::end) return lines;
    lines.emplace_back(next.line.number, std::string(next.line.text));
  }
}

TEST(Seal, KeepsEveryRecordAtItsOffsetAndTakesTheOriginalAway) {
  OnDisk disk;
  disk.fill(60'000);
  const ReadAll before = read_all_records(must(open_reader(disk.path)));
  const std::uint64_t size = fs::file_size(disk.path);
  const Sealed sealed = must(seal(disk.path, {}));
  EXPECT_EQ(sealed.bytes, size);
  EXPECT_LT(sealed.compressed_bytes, size / 2);
  EXPECT_FALSE(fs::exists(disk.path));
  EXPECT_EQ(fs::file_size(disk.path.string() + ".zst"), sealed.compressed_bytes);
  EXPECT_TRUE(read_all_records(must(open_reader(disk.path))).records == before.records);
  for (std::size_t i = 0; i < before.records.size(); i += 5003) {
    const ReadAll rest = read_all_records(must(open_reader(disk.path)), before.records[i].offset);
    ASSERT_EQ(rest.records.size(), before.records.size() - i);
    EXPECT_EQ(rest.records.front(), before.records[i]);
  }
}

TEST(Seal, LinesByNumberTimeStepAndOffsetAreThoseOfTheUnsealedJournal) {
  OnDisk disk;
  disk.fill(60'000);
  std::vector<LineStart> starts(6);
  starts[0].step = 1;
  starts[1].step = 2;
  starts[1].first_number = 7'000;
  starts[2].step = 0;
  starts[2].first_number = 15'990;
  starts[3].since = kStart + std::chrono::milliseconds(33'333);
  starts[4].offset = 3'456'789;
  starts[5].since = kStart + std::chrono::hours(5);
  std::vector<std::vector<std::pair<std::uint64_t, std::string>>> expected;
  for (const LineStart& start : starts) expected.push_back(lines_from(disk.path, start));
  (void)must(seal(disk.path, {}));
  for (std::size_t i = 0; i < starts.size(); ++i) EXPECT_TRUE(lines_from(disk.path, starts[i]) == expected[i]) << i;
  EXPECT_FALSE(expected[1].empty());
  EXPECT_EQ(expected[1].front().first, 7'000U);
}

TEST(Seal, ALineNearTheEndIsReachedByTheIndex) {
  OnDisk disk;
  disk.fill(60'000);
  (void)must(seal(disk.path, {}));
  Reader reader = must(open_reader(disk.path));
  CheckpointQuery query;
  query.step = 2;
  query.most_lines = 15'000;
  const auto checkpoint = must(reader.find_checkpoint(query));
  ASSERT_TRUE(checkpoint);
  EXPECT_GT(checkpoint->self, 5U << 20U);
  query.most_lines = 0;
  EXPECT_LT(must(reader.find_checkpoint(query))->self, checkpoint->self);
}

TEST(Seal, GivesBackTheBytesOfADamagedAndTornJournalToo) {
  OnDisk disk;
  disk.fill(30'000);
  std::string bytes = must(os::read_file(disk.path, 1U << 30U));
  bytes[1'000'000] = static_cast<char>(bytes[1'000'000] ^ 1);
  bytes.resize(bytes.size() - 3);
  must(os::replace_file(disk.path, bytes, 0600));
  (void)must(seal(disk.path, {}));
  const auto source = must(open_source(disk.path));
  std::string back(bytes.size() + 10, '\0');
  EXPECT_EQ(must(source->read_at(0, back.data(), back.size())), bytes.size());
  back.resize(bytes.size());
  EXPECT_TRUE(back == bytes);
  EXPECT_EQ(read_all_records(must(open_reader(disk.path))).damage.size(), 1U);
}

TEST(Seal, AnEmptyJournalAndOneOfAFewRecordsWorkToo) {
  for (const int lines : {0, 3}) {
    OnDisk disk;
    disk.fill(lines);
    (void)must(seal(disk.path, {}));
    EXPECT_EQ(read_all_records(must(open_reader(disk.path))).records.size(), static_cast<std::size_t>(lines) + 1);
  }
}

TEST(Seal, DoneTwiceOrAfterACrashBeforeTheOriginalWasRemovedSaysTheSame) {
  OnDisk disk;
  disk.fill(30'000);
  fs::copy_file(disk.path, disk.directory / "copy");
  const Sealed first = must(seal(disk.path, {}));
  const Sealed again_sealed = must(seal(disk.path, {}));
  EXPECT_EQ(again_sealed.bytes, first.bytes);
  EXPECT_EQ(again_sealed.compressed_bytes, first.compressed_bytes);
  fs::rename(disk.directory / "copy", disk.path);
  EXPECT_EQ(must(seal(disk.path, {})).bytes, first.bytes);
  EXPECT_FALSE(fs::exists(disk.path));
}

TEST(Seal, AStoppedCallLeavesTheJournalAsItWas) {
  OnDisk disk;
  disk.fill(30'000);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = seal(disk.path, {stop.get_token(), os::Deadline::max()});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::cancelled);
  EXPECT_TRUE(fs::exists(disk.path));
  EXPECT_FALSE(fs::exists(disk.path.string() + ".zst"));
  EXPECT_FALSE(fs::exists(disk.path.string() + ".zst.part"));
}

TEST(Seal, DamageToTheSealedFileIsAnErrorNeverOtherText) {
  OnDisk disk;
  disk.fill(20'000);
  (void)must(seal(disk.path, {}));
  const fs::path sealed = disk.path.string() + ".zst";
  const std::string whole = must(os::read_file(sealed, 1U << 30U));
  const auto read = [&](std::string& text) {
    text.assign(4U << 20U, '\0');
    auto source = open_source(disk.path);
    return source && (*source)->read_at(0, text.data(), text.size());
  };
  std::string original, back;
  ASSERT_TRUE(read(original));
  std::mt19937 random(4);
  for (int round = 0; round < 60; ++round) {
    std::string bytes = whole;
    const std::size_t at = round < 30 ? bytes.size() - 1 - random() % 120 : random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    must(os::replace_file(sealed, bytes, 0600));
    // A compressed block has bits that say nothing: what they become harms nobody.
    if (read(back)) {
      EXPECT_TRUE(back == original) << at;
    }
  }
}

TEST(Seal, AMissingJournalIsNotFound) {
  const OnDisk disk;
  EXPECT_EQ(seal(disk.path, {}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(open_source(disk.path).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace slipway::journal
