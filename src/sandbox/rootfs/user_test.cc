#include "sandbox/rootfs/user.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "os/test_directory.h"

namespace slipway::sandbox::rootfs {
namespace {

class UserTest : public testing::Test {
 protected:
  // Layers as they lie below `dir`, the topmost first.
  Result<std::string> number(const std::string& user) {
    return numeric_user(user, files_in({(dir_.path() / "top").string(), (dir_.path() / "base").string()}));
  }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((dir_.path() / name).parent_path());
    std::ofstream(dir_.path() / name) << text;
  }
  void SetUp() override {
    std::filesystem::create_directories(dir_.path() / "top/etc");
    write("base/etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:500:501::/:/bin/sh\nodd:x:-1:0::/:\n");
    write("base/etc/group", "app:x:501:\nstaff:x:50:\n");
  }

  os::TestDirectory dir_;
};

TEST_F(UserTest, NamesAreLookedUpInTheImage) {
  EXPECT_EQ(number("").value(), "");
  EXPECT_EQ(number("app").value(), "500");
  EXPECT_EQ(number("app:staff").value(), "500:50");
  EXPECT_EQ(number("7:8").value(), "7:8");
  for (const char* nobody : {"nobody", "odd", "app:nobody", "ap"}) {
    const auto refused = number(nobody);
    ASSERT_FALSE(refused) << nobody;
    EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
  }
}

TEST_F(UserTest, TheTopmostLayerThatHasTheFileDecides) {
  write("top/etc/passwd", "app:x:700:700::/:/bin/sh\n");
  EXPECT_EQ(number("app").value(), "700");
  EXPECT_EQ(number("app:staff").value(), "700:50");
}

TEST_F(UserTest, WhatALayerHidesIsNotThere) {
  ASSERT_EQ(::mknod((dir_.path() / "top/etc/passwd").c_str(), S_IFCHR, ::makedev(0, 0)), 0);
  EXPECT_FALSE(number("app"));
  std::filesystem::remove(dir_.path() / "top/etc/passwd");
  EXPECT_TRUE(number("app"));
  ASSERT_EQ(::setxattr((dir_.path() / "top/etc").c_str(), "user.overlay.opaque", "y", 1, 0), 0);
  EXPECT_FALSE(number("app"));
  std::filesystem::remove(dir_.path() / "top/etc");
  ASSERT_EQ(::mknod((dir_.path() / "top/etc").c_str(), S_IFCHR, ::makedev(0, 0)), 0);
  EXPECT_FALSE(number("app"));
}

TEST_F(UserTest, ALinkIsNotFollowed) {
  write("outside", "app:x:0:0::/:/bin/sh\n");
  std::filesystem::create_symlink(dir_.path() / "outside", dir_.path() / "top/etc/passwd");
  EXPECT_FALSE(number("app"));
}

}  // namespace
}  // namespace slipway::sandbox::rootfs
