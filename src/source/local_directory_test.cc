#include "source/local_directory.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "source/test_support.h"

namespace slipway::source {
namespace {

namespace fs = std::filesystem;

class LocalDirectoryTest : public testing::Test {
 protected:
  LocalDirectoryTest() {
    fs::create_directories(place_ / "sub");
    fs::create_directories(dir_.path() / "bare.git");
    fs::create_directory_symlink(place_, dir_.path() / "link");
  }
  static std::string found(const std::string& location, const std::string& kind = "git") {
    const auto local = local_directory({kind, location, {}, {}, {}});
    if (!local) return "error";
    return *local ? (*local)->string() : "elsewhere";
  }

  os::TestDirectory dir_;
  fs::path place_ = fs::canonical(dir_.path()) / "place";
};

TEST_F(LocalDirectoryTest, IsFoundHoweverItIsNamed) {
  const std::string place = place_.string();
  for (const std::string& location :
       {place, place + "/", place + "/sub/..", "/." + place, (dir_.path() / "link").string(), "file://" + place,
        "git+file://" + place, "git+git+file://" + place, "git+" + place, "file://localhost" + place,
        "file://" + dir_.path().string() + "/link"}) {
    EXPECT_EQ(found(location), place) << location;
  }
  EXPECT_EQ(found("file://" + place, "hg"), place);
  EXPECT_EQ(found("own://" + place, "own"), place);
  EXPECT_EQ(found(place + "/x://y", "directory"), place + "/x:/y");
  EXPECT_EQ(found("file://" + place + "/.git"), place + "/.git");
}

TEST_F(LocalDirectoryTest, IsRelativeToWhereTheProcessIs) {
  EXPECT_EQ(found("."), fs::canonical("."));
  EXPECT_EQ(found("../beside"), (fs::canonical("..") / "beside").string());
  EXPECT_EQ(found("x://y", "directory"), (fs::canonical(".") / "x:/y").string());
}

TEST_F(LocalDirectoryTest, MayBeNamedWithoutItsEndingAsForGit) {
  EXPECT_EQ(found("file://" + dir_.path().string() + "/bare"), (fs::canonical(dir_.path()) / "bare.git").string());
}

TEST_F(LocalDirectoryTest, IsNoneForOtherMachines) {
  for (const char* location : {"https://host.example/x.git", "git@host.example:/srv/x.git", "host.example:x",
                               "ssh://me@host.example/x", "git+ssh://host.example/x", "s3://bucket/x"}) {
    EXPECT_EQ(found(location), "elsewhere") << location;
  }
}

TEST_F(LocalDirectoryTest, IsAnErrorWhereItCannotBeLookedAt) {
  fs::create_symlink("turning", dir_.path() / "turning");
  EXPECT_EQ(found((dir_.path() / "turning/x").string()), "error");
  EXPECT_EQ(found("file://" + (dir_.path() / "turning").string()), "error");
  EXPECT_EQ(found(""), "error");
  EXPECT_EQ(found(std::string("/a\0b", 4)), "error");
}

}  // namespace
}  // namespace slipway::source
