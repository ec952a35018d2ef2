#include "cli/attempt_notes.h"

#include <gtest/gtest.h>

#include "cli/view_test_support.h"

namespace slipway::cli {
namespace {

class AttemptNotesTest : public testing::Test {
 protected:
  void annotate(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      journal_.add(journal::RecordType::annotation, 0, wire::payload::Annotation{.message = "x"}, at_ms(1));
    }
    size_ = journal_.bytes();
  }

  TestDirectory directory_;
  std::filesystem::path path_ = directory_.path() / "att1.journal";
  JournalOfTest journal_{path_};
  std::uint64_t size_ = 0;
};

TEST_F(AttemptNotesTest, AsManyAsAJobKeepsAreRead) {
  annotate(10'000);
  const AttemptNotes notes = read_notes(path_);
  EXPECT_EQ(notes.annotations.size(), 10'000U);
  EXPECT_TRUE(missing_texts(notes).empty());
}

TEST_F(AttemptNotesTest, WhatALimitCutsIsSaid) {
  annotate(10);
  AttemptNotes notes = read_notes(path_, {.of_a_kind = 4});
  EXPECT_EQ(notes.annotations.size(), 4U);
  EXPECT_EQ(notes.left_out, 6U);
  EXPECT_EQ(missing_texts(notes).size(), 1U);
  notes = read_notes(path_, {.journal_bytes = size_ / 2});
  EXPECT_LT(notes.annotations.size(), 10U);
  EXPECT_NEAR(static_cast<double>(notes.unread_bytes), static_cast<double>(size_) / 2, 200);
  EXPECT_EQ(missing_texts(notes).size(), 1U);
}

TEST_F(AttemptNotesTest, StepsAreKnownByTheirNumbersWhateverEndsFirst) {
  journal_.start(0, "slow", "sleep 1", at_ms(0));
  journal_.start(1, "quick", "true", at_ms(1));
  journal_.finish(1, step_result("quick", model::Outcome::succeeded, 0, at_ms(1), at_ms(2)));
  (void)journal_.bytes();
  const AttemptNotes notes = read_notes(path_);
  EXPECT_EQ(notes.steps.at(0).name, "slow");
  EXPECT_FALSE(notes.steps.at(0).result);
  EXPECT_EQ(notes.steps.at(1).result->finished, at_ms(2));
}

TEST_F(AttemptNotesTest, ServicesAreFoundBesideTheirJobSealedOrNot) {
  for (const char* name : {"att1.db.journal", "att1.cache.journal.zst", "att10.other.journal", "att1.db.tail"}) {
    const JournalOfTest made(directory_.path() / name);
  }
  EXPECT_EQ(services_of(path_), (std::vector<std::string>{"cache", "db"}));
}

}  // namespace
}  // namespace slipway::cli
