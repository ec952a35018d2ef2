#include "journal/lines.h"

#include <random>

#include "journal/test_support.h"

namespace slipway::journal {
namespace {

using std::chrono::seconds;

struct Shown {
  std::uint16_t step;
  Stream stream;
  std::uint64_t number;
  Time time;
  std::uint64_t offset;
  bool goes_on;
  std::uint64_t lost;
  std::string text;
  friend bool operator==(const Shown&, const Shown&) = default;
};

std::vector<Shown> lines_of(int fd, const LineStart& start = {}) {
  LineReader reader = must(LineReader::open(plain_source(again(fd)), start));
  std::vector<Shown> all;
  for (;;) {
    const LineReader::Next next = must(reader.next());
    if (next.what != LineReader::Next::What::line) return all;
    const Line& l = next.line;
    all.push_back({l.step, l.stream, l.number, l.time, l.offset, l.goes_on, l.lost_bytes, std::string(l.text)});
  }
}

/// A journal of several checkpoints with two streams, three steps, long lines, empty lines, losses and lines that
/// stay open over checkpoints.
os::Fd wild_journal(unsigned seed, std::size_t records) {
  std::mt19937 random(seed);
  os::Fd file = memory_file();
  Writer writer = must(Writer::create(again(file.get())));
  std::array<std::uint64_t, 3> lost{};
  for (std::size_t i = 0; i < records; ++i) {
    const auto step = static_cast<std::uint16_t>(random() % 3);
    const Time now = kStart + std::chrono::milliseconds(i);
    const auto what = random() % 1000;
    if (what == 0) {
      lost[step] += 1 + random() % 100;
      must(writer.append(RecordType::truncation, step, 0, now, encode(Truncation{lost[step], 0})));
      continue;
    }
    if (what == 1) {
      must(writer.append(RecordType::step_finished, step, 0, now, "{}"));
      continue;
    }
    std::string text(what < 10 ? random() % 200'000 : random() % 2000, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 26);
    if (what > 50) {
      for (std::size_t n = random() % 20; n > 0 && !text.empty(); --n) text[random() % text.size()] = '\n';
    }
    must(writer.append(random() % 4 == 0 ? RecordType::output_stderr : RecordType::output_stdout, step, 0, now, text));
  }
  must(writer.close());
  return file;
}

TEST(Lines, AreNumberedByStepInTheOrderInWhichTheyEnd) {
  const os::Fd file = memory_file();
  Writer writer = must(Writer::create(again(file.get())));
  must(writer.append(RecordType::output_stdout, 0, 0, kStart, "one\ntw"));
  must(writer.append(RecordType::output_stderr, 0, kFromSource, kStart + seconds(1), "oops\n"));
  must(writer.append(RecordType::output_stdout, 1, 0, kStart + seconds(2), "other step\n"));
  must(writer.append(RecordType::output_stdout, 0, 0, kStart + seconds(3), "o\n\nlast"));
  must(writer.append(RecordType::step_finished, 0, 0, kStart + seconds(4), "{}"));
  must(writer.flush());
  const auto lines = lines_of(file.get());
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(lines[0].text, "one");
  EXPECT_EQ(lines[1].text, "oops");
  EXPECT_EQ(lines[1].number, 2U);
  EXPECT_EQ(lines[2].step, 1);
  EXPECT_EQ(lines[2].number, 1U);
  EXPECT_EQ(lines[3].text, "two");
  EXPECT_EQ(lines[3].time, kStart) << "the time of its first byte";
  EXPECT_EQ(lines[4].text, "");
  EXPECT_EQ(lines[5].text, "last");
  EXPECT_EQ(lines[5].number, 5U);
}

TEST(Lines, ALongLineIsSplitAndSaysThatItGoesOn) {
  const os::Fd file = memory_file();
  Writer writer = must(Writer::create(again(file.get())));
  for (int i = 0; i < 10; ++i) must(writer.append(RecordType::output_stdout, 0, 0, kStart, std::string(20'000, 'x')));
  must(writer.append(RecordType::output_stdout, 0, 0, kStart, "\nnext\n"));
  must(writer.flush());
  const auto lines = lines_of(file.get());
  ASSERT_EQ(lines.size(), 5U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(lines[i].goes_on);
    EXPECT_EQ(lines[i].text.size(), kLongestLine);
  }
  EXPECT_FALSE(lines[3].goes_on);
  EXPECT_EQ(lines[3].text.size(), 200'000 - 3 * kLongestLine);
  EXPECT_EQ(lines[4].number, 5U);
}

TEST(Lines, ALossIsShownOnceWhereItHappenedAndEndsOpenLines) {
  const os::Fd file = memory_file();
  Writer writer = must(Writer::create(again(file.get())));
  must(writer.append(RecordType::output_stdout, 0, 0, kStart, "head\npart"));
  for (std::uint64_t lost : {10U, 20U, 30U}) {
    must(writer.append(RecordType::truncation, 0, 0, kStart, encode(Truncation{lost, 5})));
  }
  must(writer.append(RecordType::output_stdout, 0, 0, kStart, "tail\n"));
  must(writer.flush());
  const auto lines = lines_of(file.get());
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[1].text, "part");
  EXPECT_EQ(lines[2].lost, 30U);
  EXPECT_EQ(lines[3].text, "tail");
  EXPECT_EQ(lines[3].number, 3U);
}

TEST(Lines, OutputHeldInTheRingDoesNotBreakALine) {
  const os::Fd file = memory_file();
  Writer writer = must(Writer::create(again(file.get())));
  must(writer.append(RecordType::output_stdout, 0, 0, kStart, "one li"));
  must(writer.append(RecordType::truncation, 0, 0, kStart, encode(Truncation{0, 4})));
  must(writer.append(RecordType::output_stdout, 0, 0, kStart, "ne\n"));
  must(writer.flush());
  const auto lines = lines_of(file.get());
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].text, "one line");
}

TEST(Lines, AStepThatNeverFinishedGivesItsOpenLineWhenAsked) {
  const os::Fd file = memory_file();
  Writer writer = must(Writer::create(again(file.get())));
  must(writer.append(RecordType::output_stdout, 0, 0, kStart, "prompt> "));
  must(writer.flush());
  LineReader reader = must(LineReader::open(plain_source(again(file.get())), {}));
  EXPECT_EQ(must(reader.next()).what, LineReader::Next::What::end);
  const auto line = reader.take_open_line();
  ASSERT_TRUE(line);
  EXPECT_EQ(line->text, "prompt> ");
  EXPECT_FALSE(reader.take_open_line());
}

TEST(Lines, TheWriterCountsThemAsTheReaderNumbersThem) {
  for (unsigned seed = 0; seed < 3; ++seed) {
    const os::Fd file = wild_journal(seed, 8000);
    std::map<std::uint16_t, std::uint64_t> shown;
    for (const Shown& line : lines_of(file.get())) shown[line.step] = std::max(shown[line.step], line.number);
    const auto resumed = must(Writer::resume(again(file.get())));
    for (const StepCount& count : resumed.writer.lines().steps()) EXPECT_EQ(count.lines, shown[count.step]) << seed;
  }
}

TEST(Lines, StartedAnywhereAreThoseOfReadingFromTheBeginning) {
  for (unsigned seed = 0; seed < 3; ++seed) {
    SCOPED_TRACE(seed);
    const os::Fd file = wild_journal(seed, 8000);
    const auto all = lines_of(file.get());
    std::mt19937 random(seed);
    for (int round = 0; round < 24; ++round) {
      LineStart start;
      const Shown& goal = all[random() % all.size()];
      if (round % 4 == 0) start.step = goal.step;
      if (round % 4 == 1) {
        start.step = goal.step;
        start.first_number = goal.number;
      }
      if (round % 4 == 2) start.since = goal.time + std::chrono::microseconds(round % 3);
      if (round % 4 == 3) start.offset = goal.offset + static_cast<std::uint64_t>(round % 3);
      std::vector<Shown> expected;
      for (const Shown& line : all) {
        if (start.step && line.step != *start.step) continue;
        if (line.lost == 0 && line.number < start.first_number) continue;
        if (start.since && line.time < *start.since) continue;
        if (line.offset < start.offset) continue;
        expected.push_back(line);
      }
      auto got = lines_of(file.get(), start);
      // A loss is not numbered: from a line's number on, earlier ones may be left out.
      if (start.first_number > 1) {
        std::erase_if(expected, [](const Shown& line) { return line.lost > 0; });
        std::erase_if(got, [](const Shown& line) { return line.lost > 0; });
      }
      ASSERT_EQ(got.size(), expected.size()) << round;
      EXPECT_TRUE(got == expected) << round;
    }
  }
}

/// Counts the bytes that are read through it.
class CountingSource final : public Source {
 public:
  CountingSource(os::Fd file, std::uint64_t& bytes) : inner_(plain_source(std::move(file))), bytes_(bytes) {}
  Result<std::size_t> read_at(std::uint64_t offset, char* to, std::size_t most) override {
    SW_TRY(const std::size_t got, inner_->read_at(offset, to, most));
    bytes_ += got;
    return got;
  }
  Result<std::uint64_t> size() override { return inner_->size(); }
  bool has_index() const override { return false; }
  std::optional<std::uint64_t> find_checkpoint(const CheckpointQuery& /*query*/) const override { return {}; }

 private:
  std::unique_ptr<Source> inner_;
  std::uint64_t& bytes_;
};

TEST(Lines, ALineNearTheEndCostsLittleEvenWhenAnotherIsOpenSinceTheBeginning) {
  const os::Fd file = memory_file();
  Writer writer = must(Writer::create(again(file.get())));
  must(writer.append(RecordType::output_stderr, 0, 0, kStart, "waiting ..."));
  const std::string text(60'000, 'x');
  for (int i = 0; i < 700; ++i) must(writer.append(RecordType::output_stdout, 0, 0, kStart, text + "\n"));
  must(writer.close());
  std::uint64_t bytes = 0;
  LineStart start;
  start.step = 0;
  start.first_number = 690;
  LineReader reader = must(LineReader::open(std::make_unique<CountingSource>(again(file.get()), bytes), start));
  EXPECT_EQ(must(reader.next()).line.number, 690U);
  EXPECT_LT(bytes, 5U << 20U) << "of 42 MB";
}

TEST(Lines, NumbersNeedAStep) {
  LineStart start;
  start.first_number = 5;
  const auto refused = LineReader::open(plain_source(memory_file()), start);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
}

}  // namespace
}  // namespace slipway::journal
