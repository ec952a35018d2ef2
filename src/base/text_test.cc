#include "base/text.h"
#include "base/json_text.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(Glob, StarStaysWithinOnePathPart) {
  EXPECT_TRUE(glob_match("*.md", "a.md"));
  EXPECT_FALSE(glob_match("*.md", "docs/a.md"));
  EXPECT_TRUE(glob_match("release/*", "release/1"));
  EXPECT_FALSE(glob_match("release/*", "release/1/2"));
}

TEST(Glob, DoubleStarCrossesPathParts) {
  EXPECT_TRUE(glob_match("**", "a/b/c"));
  EXPECT_TRUE(glob_match("src/**", "src/a/b.c"));
  EXPECT_FALSE(glob_match("src/**", "srcs/a"));
  EXPECT_TRUE(glob_match("**/x.c", "x.c"));
  EXPECT_TRUE(glob_match("**/x.c", "a/b/x.c"));
  EXPECT_FALSE(glob_match("**/x.c", "a/bx.c"));
  EXPECT_TRUE(glob_match("out/**/*.xml", "out/r.xml"));
  EXPECT_TRUE(glob_match("out/**/*.xml", "out/a/b/r.xml"));
  EXPECT_TRUE(glob_match("a/**/b/**/c", "a/x/b/y/z/c"));
}

TEST(Glob, ClassesAndAlternativesMatch) {
  EXPECT_TRUE(glob_match("v[0-9]*", "v1.2"));
  EXPECT_FALSE(glob_match("v[!0-9]*", "v1.2"));
  EXPECT_TRUE(glob_match("{main,release/*}", "release/3"));
  EXPECT_FALSE(glob_match("{main,dev}", "other"));
}

TEST(Glob, HostilePatternsEndSoon) {
  EXPECT_FALSE(glob_match(std::string(5000, '*'), "x"));
  EXPECT_FALSE(glob_match("*a*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
}

TEST(Filters, LastMatchDecides) {
  EXPECT_TRUE(matches_filters({"**", "!docs/**"}, "src/a"));
  EXPECT_FALSE(matches_filters({"**", "!docs/**"}, "docs/a"));
  EXPECT_TRUE(matches_filters({"**", "!docs/**", "docs/api/**"}, "docs/api/x"));
  EXPECT_TRUE(matches_filters({"!docs/**"}, "src/a"));
  EXPECT_TRUE(matches_filters({}, "anything"));
}

TEST(Nearest, FindsTypingMistakesOnly) {
  EXPECT_EQ(nearest("dependson", {"depends_on", "name"}), "depends_on");
  EXPECT_EQ(nearest("biuld", {"test", "build"}), "build");
  EXPECT_EQ(nearest("--jbo", {"--json", "--job"}), "--job");
  EXPECT_EQ(nearest("zzz", {"depends_on", "name"}), std::nullopt);
}

TEST(Printable, OnlyColoursReachATerminal) {
  EXPECT_EQ(printable("\x1b[31mred\x1b[0m", Colour::keep), "\x1b[31mred\x1b[0m");
  EXPECT_EQ(printable("\x1b[31mred\x1b[0m", Colour::strip), "red");
  EXPECT_EQ(printable("\x1b]0;title\x07", Colour::keep), "\\x1b]0;title\\x07");
  EXPECT_EQ(printable("\x1b[2J", Colour::keep), "\\x1b[2J");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J",
                      Colour::keep),
            "\\xc2\\x9b2J");
  EXPECT_EQ(printable("größe\tok", Colour::keep), "größe\tok");
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "evil",
                      Colour::keep),
            "\\xe2\\x80\\xaeevil");
}

TEST(JsonText, IsValidWhateverTheBytes) {
  std::string out;
  append_json_text(out, "q\" b\\ n\n t\t \x01 é \xff \xed\xa0\x80 \xf4\x90\x80\x80 漢");
  EXPECT_TRUE(out.starts_with(R"("q\" b\\ n\n t\t \u0001 é )"
                              "\xEF\xBF\xBD"))
      << out;
  EXPECT_TRUE(out.ends_with("漢\"")) << out;
}

}  // namespace
}  // namespace slipway
