#include "wire/log_marks.h"

#include <gtest/gtest.h>

namespace slipway::wire {
namespace {

using Kind = LogMark::Kind;

TEST(LogMarks, GithubAnnotationWithItsEscapes) {
  const LogMark mark = read_mark("::error file=a%2Cb.c,line=12,col=3,endLine=14,title=No%3A 1::50%25 of it%0Afailed");
  ASSERT_EQ(mark.kind, Kind::annotation);
  EXPECT_EQ(mark.annotation.level, payload::Annotation::Level::error);
  EXPECT_EQ(mark.annotation.file, "a,b.c");
  EXPECT_EQ(mark.annotation.line, 12);
  EXPECT_EQ(mark.annotation.column, 3);
  EXPECT_EQ(mark.annotation.end_line, 14);
  EXPECT_EQ(mark.annotation.title, "No: 1");
  EXPECT_EQ(mark.annotation.message, "50% of it\nfailed");
  EXPECT_TRUE(mark.annotation.printed);
}

TEST(LogMarks, AnnotationOfWindowsLineEndsHasNoCarriageReturn) {
  EXPECT_EQ(read_mark("::warning::low disk\r").annotation.message, "low disk");
}

TEST(LogMarks, GitlabSectionsWithAndWithoutTheirEscapes) {
  const LogMark plain = read_mark("section_start:1560896352:build[collapsed=true]\r\x1b[0KBuilding it");
  EXPECT_EQ(plain.kind, Kind::open);
  EXPECT_EQ(plain.name, "build");
  EXPECT_EQ(plain.text, "Building it");
  EXPECT_EQ(plain.shown, LogMark::Shown::closed);
  EXPECT_EQ(read_mark("\x1b[0Ksection_end:1560896353:build\r\x1b[0K").kind, Kind::close);
  EXPECT_EQ(read_mark("section_start:soon:build\r").kind, Kind::none);
}

TEST(LogMarks, BuildkiteHeadersButNoDiffsAndNoGoTests) {
  EXPECT_EQ(read_mark("--- :hammer: Build").text, ":hammer: Build");
  EXPECT_EQ(read_mark("+++ Test").shown, LogMark::Shown::open);
  EXPECT_EQ(read_mark("~~~ Set-up").shown, LogMark::Shown::closed);
  EXPECT_EQ(read_mark("^^^ +++").kind, Kind::expand);
  for (const char* line : {"--- a/src/main.c", "+++ b/src/main.c", "--- /dev/null", "--- main.c\t2026-01-01",
                           "--- FAIL: TestParse (0.00s)", "---", "--- ", "----- x", "---x"}) {
    EXPECT_EQ(read_mark(line).kind, Kind::none) << line;
  }
}

TEST(LogMarks, AnythingElseIsALine) {
  for (const char* line : {"", "::", ":: x", "::error", " ::error::x", "std::string x", "x ::error::y"}) {
    EXPECT_EQ(read_mark(line).kind, Kind::none) << line;
  }
}

TEST(Folds, GithubGroupsNestAndEnd) {
  Folds folds;
  folds.see("::group::Build", false);
  folds.see("::group::Link", false);
  EXPECT_EQ(folds.path(), "Build / Link");
  folds.see("::endgroup::", false);
  EXPECT_EQ(folds.path(), "Build");
}

TEST(Folds, GitlabEndsByNameWhatIsStillOpenInside) {
  Folds folds;
  folds.see("section_start:1:a\r", false);
  folds.see("section_start:1:b\r", false);
  folds.see("section_end:2:a\r", false);
  EXPECT_TRUE(folds.open().empty());
}

TEST(Folds, BuildkiteHeadersFollowEachOther) {
  Folds folds;
  folds.see("--- Build", false);
  folds.see("+++ Test", false);
  EXPECT_EQ(folds.path(), "Test");
}

TEST(Folds, ASiblingFoldsButNeitherAnnotatesNorMasks) {
  Folds folds;
  EXPECT_EQ(folds.see("::error::x", true).kind, Kind::none);
  EXPECT_EQ(folds.see("::add-mask::x", true).kind, Kind::none);
  EXPECT_EQ(folds.see("::stop-commands::x", true).kind, Kind::none);
  EXPECT_EQ(folds.see("::group::x", true).kind, Kind::open);
}

TEST(Folds, GroupsOfSiblingsEndNoneOfJobCodeAndHoldNoneOfItsLines) {
  Folds folds;
  folds.see("section_start:1:release\r\x1b[0KRelease", false);
  folds.open("sandbox: make");
  for (const char* line : {"::endgroup::", "section_end:2:release\r", "--- a", "--- b", "::group::c"})
    folds.see(line, true);
  EXPECT_EQ(folds.path(), "Release / sandbox: make / b / c");
  for (std::size_t i = 0; i < 2 * Folds::kDeepest; ++i) folds.see("::group::deep", true);
  folds.close();
  EXPECT_EQ(folds.path(), "Release");
  folds.see("::group::fake", true);
  EXPECT_TRUE(folds.end_siblings());
  EXPECT_FALSE(folds.end_siblings());
  EXPECT_EQ(folds.path(), "Release");
  folds.see("section_end:2:release\r", false);
  EXPECT_TRUE(folds.open().empty());
}

TEST(Folds, NothingIsAMarkBetweenStopAndItsToken) {
  Folds folds;
  folds.see("::stop-commands::t0k", false);
  EXPECT_EQ(folds.see("::error::x", false).kind, Kind::none);
  EXPECT_EQ(folds.see("::t0k::", true).kind, Kind::none);  // a sibling cannot end it
  EXPECT_EQ(folds.see("::error::x", false).kind, Kind::none);
  folds.see("::t0k::", false);
  EXPECT_EQ(folds.see("::error::x", false).kind, Kind::annotation);
}

TEST(Folds, DepthHasALimit) {
  Folds folds;
  for (int i = 0; i < 1000; ++i) folds.see("::group::x", false);
  EXPECT_EQ(folds.open().size(), Folds::kDeepest);
}

}  // namespace
}  // namespace slipway::wire
