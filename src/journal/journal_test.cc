#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <random>

#include "base/crc32c.h"
#include "journal/recovery.h"
#include "journal/test_support.h"

namespace slipway::journal {
namespace {

Writer writer_on(int fd) { return must(Writer::create(again(fd))); }

void print(Writer& writer, std::string_view text, std::uint16_t step = 0, Time time = kStart) {
  must(writer.append(RecordType::output_stdout, step, 0, time, text));
}

/// A small journal of every kind of payload, and the offsets at which its records begin.
os::Fd small_journal() {
  os::Fd file = memory_file();
  Writer writer = writer_on(file.get());
  must(writer.append(RecordType::attempt_started, kNoStep, 0, kStart, R"({"run":"r1"})"));
  must(writer.append(RecordType::step_started, 0, 0, kStart, R"({"name":"build"})"));
  print(writer, "hello\nworld");
  must(writer.append(RecordType::output_stderr, 0, kFromSource, kStart, ""));
  must(writer.append(RecordType::step_finished, 0, 0, kStart, R"({"exit_code":0})"));
  must(writer.close());
  return file;
}

TEST(Crc32c, HasTheValuesOfTheStandard) {
  EXPECT_EQ(crc32c(0, "123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(0, std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c_portable(0, "123456789"), 0xE3069283U);
}

TEST(Crc32c, IsTheSameWithAndWithoutTheInstructionAtEveryLengthAndInPieces) {
  std::mt19937 random(7);
  std::string text(40'000, '\0');
  for (char& c : text) c = static_cast<char>(random());
  for (std::size_t length = 0; length < text.size(); length += length < 2000 ? 1 : 997) {
    const std::string_view part = std::string_view(text).substr(length % 9, length);
    const std::uint32_t whole = crc32c(0, part);
    ASSERT_EQ(whole, crc32c_portable(0, part)) << length;
    const std::size_t cut = part.empty() ? 0 : random() % part.size();
    ASSERT_EQ(whole, crc32c(crc32c(0, part.substr(0, cut)), part.substr(cut))) << length;
  }
}

TEST(Journal, GivesBackWhatWasAppended) {
  const os::Fd file = small_journal();
  const ReadAll all = read_all_records(file.get());
  ASSERT_EQ(all.records.size(), 5U);
  EXPECT_EQ(all.records[2].payload, "hello\nworld");
  EXPECT_EQ(all.records[2].time, kStart);
  EXPECT_EQ(all.records[3].flags, kFromSource);
  EXPECT_EQ(all.records[3].type, RecordType::output_stderr);
  EXPECT_EQ(all.end, Next::What::end);
  EXPECT_TRUE(all.damage.empty());
}

TEST(Journal, CanBeReadOnFromTheOffsetOfAnyRecord) {
  const os::Fd file = small_journal();
  const ReadAll all = read_all_records(file.get());
  for (std::size_t i = 0; i < all.records.size(); ++i) {
    const ReadAll rest = read_all_records(must(Reader::open_plain(again(file.get()))), all.records[i].offset);
    ASSERT_EQ(rest.records.size(), all.records.size() - i);
    EXPECT_EQ(rest.records.front(), all.records[i]);
  }
}

TEST(Journal, FollowedWhileItGrowsGivesEachRecordOnce) {
  const os::Fd file = memory_file();
  Writer writer = writer_on(file.get());
  Reader reader = must(Reader::open_plain(again(file.get())));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(must(reader.next()).what, Next::What::end);
    print(writer, std::to_string(i));
    EXPECT_EQ(must(reader.next()).what, Next::What::end) << "not flushed yet";
    must(writer.flush());
    const Next next = must(reader.next());
    ASSERT_EQ(next.what, Next::What::record);
    EXPECT_EQ(next.record.payload, std::to_string(i));
  }
}

TEST(Journal, LargePayloadsAndSmallOnesKeepTheirOrder) {
  const os::Fd file = memory_file();
  Writer writer = writer_on(file.get());
  std::vector<std::string> payloads;
  for (std::size_t i = 0; i < 200; ++i)
    payloads.emplace_back(i % 7 == 0 ? 20'000 * (i % 5) : i, static_cast<char>('a' + i % 26));
  payloads.emplace_back(kMaxPayload, 'z');
  for (const std::string& payload : payloads) print(writer, payload);
  must(writer.close());
  const ReadAll all = read_all_records(file.get());
  std::vector<std::string> seen;
  for (const Seen& record : all.records) {
    if (record.type == RecordType::output_stdout) seen.push_back(record.payload);
  }
  EXPECT_EQ(seen, payloads);
  EXPECT_TRUE(all.damage.empty());
}

TEST(Journal, RefusesAPayloadOfMoreThanOneMebibyte) {
  const os::Fd file = memory_file();
  Writer writer = writer_on(file.get());
  const auto refused = writer.append(RecordType::output_stdout, 0, 0, kStart, std::string(kMaxPayload + 1, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
  print(writer, "still alive");
  must(writer.flush());
  EXPECT_EQ(read_all_records(file.get()).records.size(), 1U);
}

TEST(Journal, IsNotBegunInAFileThatHoldsSomething) {
  const os::Fd file = file_with("x");
  const auto refused = Writer::create(again(file.get()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::conflict);
}

TEST(Journal, HasACheckpointEveryMebibyteWithTheLinesAndBytesOfEachStep) {
  const os::Fd file = memory_file();
  Writer writer = writer_on(file.get());
  const std::string line(99, 'x');
  for (int i = 0; i < 50'000; ++i) print(writer, line + "\n", static_cast<std::uint16_t>(i % 3));
  must(writer.close());
  std::map<std::uint16_t, std::uint64_t> lines;
  std::uint64_t last = 0;
  int checkpoints = 0;
  for (const Seen& record : read_all_records(file.get()).records) {
    if (record.type != RecordType::checkpoint) {
      ++lines[record.step];
      continue;
    }
    ++checkpoints;
    const auto checkpoint = parse_checkpoint(record.payload);
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->self, record.offset);
    EXPECT_EQ(checkpoint->previous, last);
    EXPECT_LT(record.offset - last, kCheckpointEvery + 10'000);
    last = record.offset;
    for (const StepCount& step : checkpoint->steps) {
      EXPECT_EQ(step.lines, lines[step.step]);
      EXPECT_EQ(step.bytes, lines[step.step] * 100);
    }
  }
  EXPECT_EQ(checkpoints, 5);
}

// --- damage ---

TEST(Journal, CutAtEveryByteIsTornAtItsLastRecordAndCanBeResumed) {
  const std::string whole = bytes_of(small_journal().get());
  const ReadAll all = read_all_records(file_with(whole).get());
  for (std::size_t length = kFileHeaderBytes; length < whole.size(); ++length) {
    const os::Fd file = file_with(std::string_view(whole).substr(0, length));
    const ReadAll cut = read_all_records(file.get());
    const auto kept =
        static_cast<std::size_t>(std::count_if(all.records.begin(), all.records.end(), [&](const Seen& r) {
          return r.offset + kHeaderBytes + r.payload.size() + kTrailerBytes <= length;
        }));
    ASSERT_EQ(cut.records.size(), kept) << length;
    EXPECT_TRUE(std::equal(cut.records.begin(), cut.records.end(), all.records.begin()));
    const bool at_border =
        kept == 0 ? length == kFileHeaderBytes : kept < all.records.size() && all.records[kept].offset == length;
    EXPECT_EQ(cut.end, at_border ? Next::What::end : Next::What::torn) << length;
    EXPECT_TRUE(cut.damage.empty());

    Writer::Resumed resumed = must(Writer::resume(again(file.get())));
    print(resumed.writer, "after");
    must(resumed.writer.close());
    const ReadAll mended = read_all_records(file.get());
    ASSERT_EQ(mended.records.size(), kept + 1) << length;
    EXPECT_EQ(mended.records.back().payload, "after");
    EXPECT_TRUE(mended.damage.empty());
  }
}

TEST(Journal, CutWithinItsFileHeaderIsBegunAnew) {
  const std::string whole = bytes_of(small_journal().get());
  for (std::size_t length = 0; length < kFileHeaderBytes; ++length) {
    const os::Fd file = file_with(std::string_view(whole).substr(0, length));
    const auto early = Reader::open_plain(again(file.get()));
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().kind, ErrorKind::unavailable);
    Writer::Resumed resumed = must(Writer::resume(again(file.get())));
    print(resumed.writer, "first");
    must(resumed.writer.close());
    EXPECT_EQ(read_all_records(file.get()).records.size(), 1U);
  }
}

TEST(Journal, AFlippedBitAnywhereIsReportedAndCostsOneRecord) {
  const std::string whole = bytes_of(small_journal().get());
  const ReadAll all = read_all_records(file_with(whole).get());
  for (std::size_t at = kFileHeaderBytes; at < all.records.back().offset; ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      const ReadAll seen = read_all_records(file_with(bytes).get());
      std::vector<Seen> expected = all.records;
      const auto hit = std::find_if(expected.rbegin(), expected.rend(), [&](const Seen& r) { return r.offset <= at; });
      ASSERT_EQ(seen.damage.size(), 1U) << at;
      EXPECT_EQ(seen.damage.front().first, hit->offset) << at;
      expected.erase(std::next(hit).base());
      EXPECT_EQ(seen.records, expected) << at;
    }
  }
}

TEST(Journal, ADamagedFileHeaderIsNotAJournal) {
  std::string bytes = bytes_of(small_journal().get());
  bytes[9] = static_cast<char>(bytes[9] ^ 1);
  const auto refused = Reader::open_plain(file_with(bytes));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
}

TEST(Journal, RecordsThatAJobPrintsAreNeverTakenForRecordsBehindDamage) {
  const std::string other = bytes_of(small_journal().get()).substr(kFileHeaderBytes);  // another seed
  const os::Fd file = memory_file();
  Writer writer = writer_on(file.get());
  print(writer, "before");
  const std::uint64_t at = writer.end();
  print(writer, other + other);
  print(writer, "after");
  must(writer.close());
  std::string bytes = bytes_of(file.get());
  bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
  const ReadAll seen = read_all_records(file_with(bytes).get());
  ASSERT_EQ(seen.records.size(), 2U);
  EXPECT_EQ(seen.records[1].payload, "after");
  ASSERT_EQ(seen.damage.size(), 1U);
  EXPECT_EQ(seen.damage[0].first, at);
}

TEST(Journal, TextFullOfPlausibleHeadersDoesNotStallTheSearchBehindDamage) {
  const os::Fd file = memory_file();
  Writer writer = writer_on(file.get());
  const std::uint64_t at = writer.end();
  std::string hostile;  // each 16 bytes look like the header of a large record
  while (hostile.size() < kMaxPayload) {
    char header[kHeaderBytes];
    encode_header({900'000, {RecordType::output_stdout, 0, 0, kStart, {}}}, header);
    hostile.append(header, sizeof header);
  }
  for (int i = 0; i < 4; ++i) print(writer, hostile);
  print(writer, "after");
  must(writer.close());
  std::string bytes = bytes_of(file.get());
  bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
  const ReadAll seen = read_all_records(file_with(bytes).get());
  ASSERT_FALSE(seen.records.empty());
  EXPECT_EQ(seen.records.back().payload, "after");
  EXPECT_GE(seen.damage.size(), 1U);
}

TEST(Journal, ZerosBehindTheEndAreCutWhenItIsResumed) {
  const os::Fd file = file_with(bytes_of(small_journal().get()) + std::string(5000, '\0'));
  const Writer::Resumed resumed = must(Writer::resume(again(file.get())));
  EXPECT_EQ(resumed.cut_bytes, 5000U);
  EXPECT_TRUE(read_all_records(file.get()).damage.empty());
}

TEST(Journal, ResumedInTheMiddleOfManyMebibytesGoesOnCountingAndChaining) {
  const os::Fd file = memory_file();
  const auto fill = [](Writer& writer, int from, int to) {
    for (int i = from; i < to; ++i)
      print(writer, std::string(static_cast<std::size_t>(i % 700), 'x') + (i % 3 == 0 ? "" : "\n"));
  };
  Writer first = writer_on(file.get());
  fill(first, 0, 9000);
  must(first.flush());
  Writer second = must(Writer::resume(again(file.get()))).writer;
  fill(second, 9000, 20'000);
  must(second.close());

  const os::Fd straight = memory_file();
  Writer whole = writer_on(straight.get());
  fill(whole, 0, 20'000);
  must(whole.close());
  const StepCount* a = second.lines().find(0);
  const StepCount* b = whole.lines().find(0);
  EXPECT_EQ(a->lines, b->lines);
  EXPECT_EQ(a->bytes, b->bytes);
  Reader reader = must(Reader::open_plain(again(file.get())));
  int hops = 0;
  CheckpointQuery query;
  for (auto checkpoint = must(reader.find_checkpoint(query)); checkpoint;
       checkpoint = must(reader.find_checkpoint(query))) {
    query.before = checkpoint->self;
    ++hops;
  }
  EXPECT_EQ(static_cast<std::uint64_t>(hops), b->bytes / kCheckpointEvery);
}

TEST(Journal, FindsEarlierCheckpointsThroughADamagedOne) {
  const os::Fd file = memory_file();
  Writer writer = writer_on(file.get());
  for (int i = 0; i < 60'000; ++i) print(writer, std::string(79, 'x') + "\n");
  must(writer.close());
  std::vector<std::uint64_t> checkpoints;
  for (const Seen& record : read_all_records(file.get()).records) {
    if (record.type == RecordType::checkpoint) checkpoints.push_back(record.offset);
  }
  ASSERT_GE(checkpoints.size(), 4U);
  std::string bytes = bytes_of(file.get());
  bytes[checkpoints[2] + 30] = static_cast<char>(bytes[checkpoints[2] + 30] ^ 1);
  Reader reader = must(Reader::open_plain(file_with(bytes)));
  CheckpointQuery query;
  query.before = checkpoints[3];
  const auto found = must(reader.find_checkpoint(query));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->self, checkpoints[1]);
}

// --- full disk ---

/// In a child process with a mount namespace of its own and a tmpfs of this size at /tmp. Needs root.
void on_small_disk(const char* size, const std::function<bool()>& body) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting a small file system needs root";
  const pid_t child = ::fork();
  if (child == 0) {
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("tmpfs", "/tmp", "tmpfs", 0, size) == 0;
    ::_exit(!mounted ? 77 : body() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no mount namespace here";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(Journal, OnAFullDiskRefusesOutputButTakesClosingRecordsAndGoesOnWhenThereIsRoomAgain) {
  on_small_disk("size=2m", [] {
    os::Fd file = must(os::open_file("/tmp/journal", O_RDWR | O_CREAT, 0600));
    os::Fd ballast = must(os::open_file("/tmp/ballast", O_RDWR | O_CREAT, 0600));
    if (::fallocate(ballast.get(), 0, 0, 1 << 20) != 0) return false;
    Writer writer = must(Writer::create(again(file.get())));
    const std::string text(10'000, 'x');
    int accepted = 0;
    while (writer.append(RecordType::output_stdout, 0, 0, kStart, text)) ++accepted;
    if (accepted < 30) return false;
    must(writer.append(RecordType::truncation, 0, 0, kStart, encode(Truncation{1, 0})));
    must(writer.append(RecordType::step_finished, 0, 0, kStart, "{}"));
    must(writer.sync());
    if (writer.has_room(100, kStart) || ::ftruncate(ballast.get(), 0) != 0) return false;
    if (writer.has_room(100, kStart + std::chrono::milliseconds(10))) return false;
    if (!writer.has_room(100, kStart + std::chrono::seconds(2))) return false;
    must(writer.append(RecordType::output_stdout, 1, 0, kStart + std::chrono::seconds(2), text));
    must(writer.close());
    const ReadAll all = read_all_records(file.get());
    return all.records.size() == static_cast<std::size_t>(accepted) + 3 && all.damage.empty() &&
           all.end == Next::What::end;
  });
}

TEST(Journal, GivesPreallocatedSpaceBackWhenClosed) {
  os::Fd file = memory_file();
  Writer writer = writer_on(file.get());
  print(writer, "x");
  must(writer.close());
  struct stat status{};
  ASSERT_EQ(::fstat(file.get(), &status), 0);
  EXPECT_LE(status.st_blocks * 512, 8192);
}

}  // namespace
}  // namespace slipway::journal
