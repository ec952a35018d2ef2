#include "base/paths.h"

#include <string_view>

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(LiesBelow, HoldsForTheDirectoryItselfAndAllInIt) {
  EXPECT_TRUE(lies_below("/a/b", "/a/b"));
  EXPECT_TRUE(lies_below("/a/b/c/d", "/a/b"));
  EXPECT_TRUE(lies_below("/a", "/"));
  EXPECT_TRUE(lies_below("/", "/"));
}

TEST(LiesBelow, IsOfWholeNames) {
  EXPECT_FALSE(lies_below("/a/bc", "/a/b"));
  EXPECT_FALSE(lies_below("/a", "/a/b"));
  EXPECT_FALSE(lies_below("/", "/a"));
}

TEST(LiesBelow, ReadsPathsAsTheKernelDoes) {
  EXPECT_TRUE(lies_below("/a//b/./c", "/a/b/"));
  EXPECT_TRUE(lies_below("/x/../a/b", "/a"));
  EXPECT_FALSE(lies_below("/a/b/../../x", "/a/b"));
  EXPECT_TRUE(lies_below("/../a", "/a"));
}

TEST(LiesBelow, KnowsNothingOfRelativePaths) {
  EXPECT_FALSE(lies_below("a/b", "/a"));
  EXPECT_FALSE(lies_below("", ""));
  EXPECT_FALSE(lies_below("/a", ""));
  EXPECT_FALSE(lies_below("", "/"));
}

TEST(CleanRelative, IsNamesWithSlashesBetweenThem) {
  for (const char* path : {"a", "a/b", ".git", "..a", "a/...", " "}) EXPECT_TRUE(is_clean_relative(path)) << path;
  for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "./a", "a/.", "..", "../a", "a/..", "a/../b"}) {
    EXPECT_FALSE(is_clean_relative(path)) << path;
  }
  EXPECT_FALSE(is_clean_relative(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace slipway
