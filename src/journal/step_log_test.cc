#include "journal/step_log.h"

#include <fmt/format.h>

#include "journal/recovery.h"
#include "journal/test_support.h"

namespace slipway::journal {
namespace {

using std::chrono::milliseconds;

struct Fixture {
  os::Fd file = memory_file();
  os::Fd ring_file = memory_file();
  Writer writer = must(Writer::create(again(file.get())));
  TailRing ring;
  StepLog log;
  Fixture(std::uint64_t head, std::uint64_t tail)
      : ring(must(TailRing::create(again(ring_file.get()), tail))), log(writer, &ring, {head, tail}) {}

  void print(std::string_view text, Time now = kStart, std::uint16_t step = 0) {
    log.output(step, Stream::out, 0, text, now);
  }
  std::string text_of(std::uint16_t step) {
    must(writer.flush());
    std::string text;
    for (const Seen& record : read_all_records(file.get()).records) {
      if (is_output(record.type) && record.step == step) text += record.payload;
    }
    return text;
  }
  std::vector<Truncation> truncations(std::uint16_t step = 0) {
    must(writer.flush());
    std::vector<Truncation> all;
    for (const Seen& record : read_all_records(file.get()).records) {
      if (record.type == RecordType::truncation && record.step == step)
        all.push_back(*parse_truncation(record.payload));
    }
    return all;
  }
};

/// Text in which each place is different.
std::string numbered(std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; text.size() < bytes; ++i) text += fmt::format("{:08}\n", i);
  text.resize(bytes);
  return text;
}

TEST(StepLog, OutputUpToTheHeadIsKeptExactlyAndNothingIsSaid) {
  Fixture f(1000, 4096);
  const std::string text = numbered(1000);
  f.print(text);
  must(f.log.step_end(0, kStart));
  EXPECT_EQ(f.text_of(0), text);
  EXPECT_TRUE(f.truncations().empty());
}

TEST(StepLog, OneByteMoreGoesToTheRingAndComesBackAtStepEnd) {
  Fixture f(1000, 4096);
  const std::string text = numbered(1001);
  f.print(text);
  EXPECT_EQ(f.text_of(0), text.substr(0, 1000));
  ASSERT_EQ(f.truncations().size(), 1U);
  EXPECT_EQ(f.truncations()[0].held, 1U);
  must(f.log.step_end(0, kStart));
  EXPECT_EQ(f.text_of(0), text);
  EXPECT_EQ(f.log.lost_bytes(0), 0U);
}

TEST(StepLog, PastHeadAndTailTheMiddleIsLostAndCountedExactly) {
  Fixture f(1000, 4096);
  const std::string text = numbered(200'000);
  for (std::size_t at = 0; at < text.size(); at += 313) f.print(text.substr(at, 313));
  must(f.log.step_end(0, kStart));
  const std::string kept = f.text_of(0);
  const std::uint64_t lost = f.log.lost_bytes(0);
  EXPECT_EQ(kept.size() + lost, text.size());
  EXPECT_EQ(kept.substr(0, 1000), text.substr(0, 1000));
  EXPECT_EQ(kept.substr(1000), text.substr(text.size() - (kept.size() - 1000)));
  EXPECT_GT(kept.size(), 1000U + 4096 - 4096 / 4) << "the ring is used, but for what its framing takes";
  EXPECT_EQ(f.truncations().back().lost, lost);
}

TEST(StepLog, SaysSoAtMostOnceASecondAndExactlyAtTheEnd) {
  Fixture f(100, 1024);
  const std::string text(100, 'x');
  for (int i = 0; i < 500; ++i) f.print(text, kStart + milliseconds(10) * i);
  EXPECT_EQ(f.truncations().size(), 5U);
  must(f.log.step_end(0, kStart + milliseconds(5001)));
  ASSERT_EQ(f.truncations().size(), 6U);
  EXPECT_EQ(f.truncations().back().lost, f.log.lost_bytes(0));
}

TEST(StepLog, AClockSetBackDoesNotSilenceIt) {
  Fixture f(0, 1024);
  f.print("a", kStart + std::chrono::hours(5));
  f.print("b", kStart);
  EXPECT_EQ(f.truncations().size(), 2U);
}

TEST(StepLog, ParallelStepsShareTheRingAndEachGetsItsOwnBack) {
  Fixture f(10, 8192);
  for (int i = 0; i < 100; ++i) {
    f.print(fmt::format("zero {:04}\n", i), kStart, 0);
    f.print(fmt::format("one {:04}\n", i), kStart, 1);
  }
  must(f.log.step_end(1, kStart));
  for (int i = 100; i < 105; ++i) f.print(fmt::format("zero {:04}\n", i), kStart, 0);
  must(f.log.step_end(0, kStart));
  EXPECT_EQ(f.text_of(0).size(), 105U * 10);
  EXPECT_EQ(f.text_of(1).size(), 100U * 9);
  EXPECT_EQ(f.text_of(1).substr(9, 9), "one 0001\n");
  EXPECT_EQ(f.text_of(0).substr(1040), "zero 0104\n");
}

TEST(StepLog, ManyTimesRoundTheRingEveryPieceComesBackWhole) {
  for (const std::size_t capacity : {256U, 1000U, 1023U, 4097U}) {
    Fixture f(0, capacity);
    const std::string text = numbered(50'000);
    std::size_t at = 0;
    for (std::size_t size = 1; at < text.size(); size = size * 7 % 101 + 1) {
      f.print(text.substr(at, size));
      at += std::min(size, text.size() - at);
    }
    must(f.log.step_end(0, kStart));
    const std::string kept = f.text_of(0);
    EXPECT_FALSE(kept.empty());
    EXPECT_EQ(kept, text.substr(text.size() - kept.size())) << capacity;
    EXPECT_EQ(f.log.lost_bytes(0), text.size() - kept.size());
  }
}

TEST(StepLog, WithoutARingEverythingPastTheHeadIsLost) {
  Fixture f(10, 256);
  StepLog log(f.writer, nullptr, {10, 0});
  log.output(0, Stream::out, 0, "0123456789abc", kStart);
  must(log.step_end(0, kStart));
  EXPECT_EQ(f.text_of(0), "0123456789");
  EXPECT_EQ(log.lost_bytes(0), 3U);
}

// --- the host finishes a journal whose init died ---

TEST(Recovery, AppendsTheRingAndCountsWhatWasLostUpToTheLastByte) {
  Fixture f(1000, 4096);
  const std::string text = numbered(100'000);
  must(f.writer.append(RecordType::step_started, 0, 0, kStart, "{}"));
  for (std::size_t at = 0; at < text.size(); at += 300) f.print(text.substr(at, 300));
  must(f.writer.flush());
  Recovered recovered = must(recover(again(f.file.get()), again(f.ring_file.get())));
  EXPECT_FALSE(recovered.finished);
  EXPECT_EQ(recovered.open_steps, std::vector<std::uint16_t>{0});
  const StepCount* count = recovered.writer.lines().find(0);
  EXPECT_EQ(count->bytes + count->lost, text.size());
  std::string kept;
  for (const Seen& record : read_all_records(f.file.get()).records) {
    if (is_output(record.type)) kept += record.payload;
  }
  EXPECT_EQ(kept, text.substr(0, 1000) + text.substr(text.size() - (kept.size() - 1000)));
}

TEST(Recovery, DoneTwiceOrAfterInitAppendedTheRingAddsNothingTwice) {
  Fixture f(1000, 4096);
  f.print(numbered(3000));
  must(f.log.step_end(0, kStart));
  // As if init had died before it could empty the ring.
  Fixture same(1000, 4096);
  same.print(numbered(3000));
  must(finish_after_loss(again(f.file.get()), again(same.ring_file.get()), kStart, R"({"outcome":"infra_failed"})"));
  EXPECT_EQ(read_all_records(f.file.get()).damage.size(), 0U);
  const std::string once = bytes_of(f.file.get());
  must(finish_after_loss(again(f.file.get()), again(same.ring_file.get()), kStart, R"({"outcome":"infra_failed"})"));
  EXPECT_EQ(bytes_of(f.file.get()), once);
  std::string kept;
  for (const Seen& record : read_all_records(f.file.get()).records) {
    if (is_output(record.type)) kept += record.payload;
  }
  EXPECT_EQ(kept, numbered(3000));
}

TEST(Recovery, OfAnInitThatNeverWroteMakesAJournalWithItsEnd) {
  const os::Fd file = memory_file();
  must(finish_after_loss(again(file.get()), memory_file(), kStart, "{}"));
  const ReadAll all = read_all_records(file.get());
  ASSERT_EQ(all.records.size(), 1U);
  EXPECT_EQ(all.records[0].type, RecordType::attempt_finished);
}

TEST(Recovery, WithoutARingOnlyCutsAndEnds) {
  Fixture f(1000, 4096);
  f.print("whole");
  must(f.writer.flush());
  ASSERT_EQ(::pwrite(f.file.get(), "\x05\0\0", 3, static_cast<off_t>(f.writer.offset())), 3);
  const Recovered recovered = must(recover(again(f.file.get()), os::Fd()));
  EXPECT_EQ(recovered.cut_bytes, 3U);
}

TEST(TailRing, ADamagedRingIsAnErrorNotSilence) {
  Fixture f(0, 4096);
  f.print("some text that is held");
  std::string bytes = bytes_of(f.ring_file.get());
  bytes[4096 + 30] = static_cast<char>(bytes[4096 + 30] ^ 1);
  TailRing ring = must(TailRing::open(file_with(bytes)));
  EXPECT_FALSE(ring.take({}, [](const TailRing::Piece&) { return Result<void>{}; }));
}

}  // namespace
}  // namespace slipway::journal
