#include "os/bundle.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "os/bundle_stream.h"
#include "os/files.h"
#include "os/test_directory.h"

namespace slipway::os {
namespace {

namespace fs = std::filesystem;

class Bundle : public testing::Test {
 protected:
  Bundle() {
    fs::create_directory(tree_);
    fs::create_directory(target_);
  }

  void write(const std::string& path, std::string_view text = "x") const {
    ASSERT_TRUE(make_directories((tree_ / path).parent_path(), 0755));
    ASSERT_TRUE(replace_file(tree_ / path, text, 0644));
  }
  void link(const std::string& path, const char* target) const {
    ASSERT_TRUE(make_directories((tree_ / path).parent_path(), 0755));
    ASSERT_EQ(::symlink(target, (tree_ / path).c_str()), 0);
  }

  static Fd memory() { return Fd(::memfd_create("bundle", MFD_CLOEXEC)); }
  static Fd directory(const fs::path& path) { return std::move(*open_file(path, O_RDONLY | O_DIRECTORY)); }

  Result<BundleReport> pack_tree(const std::vector<std::string>& globs, Links links = Links::refuse,
                                 const BundleLimits& limits = {}) {
    stream_ = memory();
    auto report = pack(directory(tree_).get(), globs, stream_.get(), links, limits);
    ::lseek(stream_.get(), 0, SEEK_SET);
    return report;
  }
  Result<BundleReport> unpack_target(Links links = Links::refuse, const BundleLimits& limits = {}) {
    ::lseek(stream_.get(), 0, SEEK_SET);
    return unpack(stream_.get(), directory(target_).get(), links, limits);
  }
  /// The paths that `globs` take, in the order of the stream.
  std::vector<std::string> taken(const std::vector<std::string>& globs, Links links = Links::refuse) {
    const auto report = pack_tree(globs, links);
    if (!report) return {report.error().what};
    std::vector<std::string> paths;
    const auto entries = list_bundle(stream_.get(), {});
    EXPECT_TRUE(entries);
    for (const BundleEntry& entry : *entries) paths.push_back(entry.path);
    return paths;
  }
  /// A stream of these entries; files hold "x".
  void stream_of(const std::vector<EntryHeader>& entries, std::string_view content = "x") {
    stream_ = memory();
    EntryWriter writer(stream_.get());
    ASSERT_TRUE(writer.begin());
    for (EntryHeader entry : entries) {
      if (entry.kind != EntryHeader::Kind::directory && entry.size == 0) entry.size = content.size();
      ASSERT_TRUE(writer.open_entry(entry));
      if (entry.kind != EntryHeader::Kind::directory) {
        ASSERT_TRUE(writer.content(content));
      }
      ASSERT_TRUE(writer.close_entry());
    }
    ASSERT_TRUE(writer.finish());
    ::lseek(stream_.get(), 0, SEEK_SET);
  }

  TestDirectory root_;
  fs::path tree_ = root_ / "tree", target_ = root_ / "target";
  Fd stream_;
};

using Kind = EntryHeader::Kind;
using Paths = std::vector<std::string>;

TEST(Crc32c, HasTheKnownValueAndContinues) {
  EXPECT_EQ(crc32c(0, "123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(crc32c(0, "12345"), "6789"), 0xE3069283U);
}

TEST_F(Bundle, ComesBackWithContentModesAndTimes) {
  write("dist/app", std::string(1'000'000, 'a'));
  write("dist/sub/new\nline");
  fs::create_directories(tree_ / "dist/empty");
  ::chmod((tree_ / "dist/app").c_str(), 0755);
  ::chmod((tree_ / "dist/sub").c_str(), 0555);
  const timespec times[2] = {{1000, 0}, {1000, 5000}};
  ::utimensat(AT_FDCWD, (tree_ / "dist/app").c_str(), times, 0);
  const auto packed = pack_tree({"dist"});
  ASSERT_TRUE(packed) << packed.error().what;
  EXPECT_EQ(packed->files, 2U);
  EXPECT_EQ(packed->bytes, 1'000'001U);
  EXPECT_TRUE(packed->refused.empty());
  const auto unpacked = unpack_target();
  ASSERT_TRUE(unpacked) << unpacked.error().what;
  EXPECT_EQ(unpacked->files, 2U);
  EXPECT_EQ(read_file(target_ / "dist/app", 2'000'000).value(), std::string(1'000'000, 'a'));
  EXPECT_TRUE(fs::exists(target_ / "dist/sub/new\nline"));
  EXPECT_TRUE(fs::is_directory(target_ / "dist/empty"));
  struct stat status{};
  ASSERT_EQ(::stat((target_ / "dist/app").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0755U);
  EXPECT_EQ(status.st_mtim.tv_sec, 1000);
  EXPECT_EQ(status.st_mtim.tv_nsec, 5000);
  ASSERT_EQ(::stat((target_ / "dist/sub").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0555U);
}

TEST_F(Bundle, PatternsTakeWhatTheySay) {
  for (const char* path : {"a.md", "dist/app", "dist/lib/x.so", "dist/.hidden", "out/one.xml", "out/d/e/two.xml",
                           "out/d/e/two.txt", "src/main.c"}) {
    write(path);
  }
  EXPECT_EQ(taken({"dist/*"}), (Paths{"dist/.hidden", "dist/app", "dist/lib/x.so"}));
  EXPECT_EQ(taken({"./dist/"}), (Paths{"dist/.hidden", "dist/app", "dist/lib/x.so"}));
  EXPECT_EQ(taken({"out/**/*.xml"}), (Paths{"out/d/e/two.xml", "out/one.xml"}));
  EXPECT_EQ(taken({"**/*.xml", "*.md"}), (Paths{"a.md", "out/d/e/two.xml", "out/one.xml"}));
  EXPECT_EQ(taken({"*.md"}), (Paths{"a.md"}));
  EXPECT_EQ(taken({"{src,out}/*.[cx]*"}), (Paths{"out/one.xml", "src/main.c"}));
  EXPECT_EQ(taken({"out", "!out/**/*.txt"}), (Paths{"out/d/e/two.xml", "out/one.xml"}));
  EXPECT_EQ(taken({"."}).size(), 8U);
  EXPECT_EQ(pack_tree({"none/*"}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(pack_tree({}).error().kind, ErrorKind::not_found);
}

TEST_F(Bundle, PatternsCannotLeave) {
  write("a");
  EXPECT_EQ(pack_tree({"../tree/a"}).error().kind, ErrorKind::invalid);
  EXPECT_EQ(pack_tree({"/etc/passwd"}).error().kind, ErrorKind::invalid);
}

TEST_F(Bundle, AbsolutePatternsAreOfTheRootDirectory) {
  write("cache/a");
  write("cache/b/c");
  stream_ = memory();
  const auto packed = pack(directory("/").get(), {(tree_ / "cache").string()}, stream_.get(), Links::inside, {});
  ASSERT_TRUE(packed) << packed.error().what;
  const auto unpacked = unpack_target();
  ASSERT_TRUE(unpacked) << unpacked.error().what;
  EXPECT_TRUE(fs::exists(target_ / tree_.relative_path() / "cache/b/c"));
}

TEST_F(Bundle, ArtifactsTakeNoLinks) {
  write("dist/a");
  link("dist/inside", "a");
  link("dist/outside", "/etc/passwd");
  link("dist/tree", "/etc");
  const auto packed = pack_tree({"dist"});
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->files, 1U);
  EXPECT_EQ(packed->refused.size(), 3U);
  const auto only_links = pack_tree({"dist/inside"});
  ASSERT_FALSE(only_links);
  EXPECT_NE(only_links.error().what.find("dist/inside: a link"), std::string::npos);
}

TEST_F(Bundle, CachesTakeLinksThatStayInside) {
  write("cache/d/a");
  link("cache/d/same", "a");
  link("cache/d/up", "../d/a");
  link("cache/d/out", "../../secret");
  link("cache/d/absolute", "/etc/passwd");
  link("cache/d/chain", "x/../../../..");
  EXPECT_EQ(taken({"cache"}, Links::inside), (Paths{"cache/d/a", "cache/d/same", "cache/d/up"}));
  ASSERT_TRUE(unpack_target(Links::inside));
  EXPECT_EQ(fs::read_symlink(target_ / "cache/d/up"), "../d/a");
}

TEST_F(Bundle, SpecialFilesAreRefusedAndBlockNothing) {
  write("d/a");
  ASSERT_EQ(::mkfifo((tree_ / "d/fifo").c_str(), 0600), 0);
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, (tree_ / "d/socket").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  std::size_t expected = 2;
  if (::mknod((tree_ / "d/null").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0) ++expected;  // root only
  const auto packed = pack_tree({"d"});
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->files, 1U);
  EXPECT_EQ(packed->refused.size(), expected);
}

TEST_F(Bundle, AMountIsEnteredOnlyWhereItIsNamed) {
  stream_ = memory();
  EXPECT_EQ(pack(directory("/").get(), {"/pro?/version"}, stream_.get(), Links::refuse, {}).error().kind,
            ErrorKind::not_found);
  const auto named = pack(directory("/").get(), {"/proc/sys/kernel/ostype"}, stream_.get(), Links::refuse, {});
  ASSERT_TRUE(named) << named.error().what;
  EXPECT_EQ(named->files, 1U);
}

TEST_F(Bundle, DeepTreesEndWithANoteAndNotWithTheStack) {
  Fd at = directory(tree_);
  for (int depth = 0; depth < 400; ++depth) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0755), 0);
    at = Fd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(at);
  }
  const auto packed = pack_tree({"d"});
  ASSERT_TRUE(packed) << packed.error().what;
  EXPECT_EQ(packed->refused.size(), 1U);
}

TEST_F(Bundle, ADirectorySwappedForALinkIsNeverFollowed) {
  write("d/sub/file", "mine");
  fs::create_directory(root_ / "secret");
  ASSERT_TRUE(replace_file(root_ / "secret/file", "secret", 0644));
  ASSERT_EQ(::symlink((root_ / "secret").c_str(), (tree_ / "other").c_str()), 0);
  std::jthread swapper([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      (void)::renameat2(AT_FDCWD, (tree_ / "other").c_str(), AT_FDCWD, (tree_ / "d/sub").c_str(), RENAME_EXCHANGE);
    }
  });
  for (int round = 0; round < 2000; ++round) {
    (void)pack_tree({"d"});  // may find nothing: what counts is what it never holds
    EXPECT_EQ(read_all(stream_.get(), 1 << 20)->find("secret"), std::string::npos);
  }
}

TEST_F(Bundle, LimitsHold) {
  for (int i = 0; i < 20; ++i) write("d/" + std::to_string(i), "0123456789");
  EXPECT_EQ(pack_tree({"d"}, Links::refuse, {.bytes = 199}).error().kind, ErrorKind::exhausted);
  EXPECT_EQ(pack_tree({"d"}, Links::refuse, {.files = 20}).error().kind, ErrorKind::exhausted);
  EXPECT_EQ(pack_tree({"d"}, Links::refuse, {.bytes = 700}).error().kind, ErrorKind::exhausted)
      << "200 bytes of contents, 21 entries' headers and 71 bytes of paths";
  ASSERT_TRUE(pack_tree({"d"}, Links::refuse, {.bytes = 1000, .files = 21}));
  EXPECT_EQ(unpack_target(Links::refuse, {.bytes = 199}).error().kind, ErrorKind::exhausted);
  EXPECT_EQ(unpack_target(Links::refuse, {.files = 20}).error().kind, ErrorKind::exhausted);
}

TEST_F(Bundle, HostileStreamsAreInvalid) {
  const std::vector<std::vector<EntryHeader>> hostile = {
      {{.kind = Kind::file, .path = "../x"}},
      {{.kind = Kind::file, .path = "a/../../x"}},
      {{.kind = Kind::file, .path = "/etc/x"}},
      {{.kind = Kind::file, .path = "a//b"}},
      {{.kind = Kind::file, .path = "./a"}},
      {{.kind = Kind::file, .path = ""}},
      {{.kind = Kind::file, .path = std::string("a\0b", 3)}},
      {{.kind = Kind::file, .path = std::string(300, 'a')}},
      {{.kind = Kind::file, .path = "a"}, {.kind = Kind::file, .path = "a"}},
      {{.kind = Kind::file, .path = "b"}, {.kind = Kind::file, .path = "a"}},
      {{.kind = Kind::file, .mode = 04755, .path = "a"}},
      {{.kind = Kind::directory, .size = 5, .path = "a"}},
      {{.kind = Kind::link, .size = 5000, .path = "a"}},
      {{.kind = static_cast<Kind>(9), .path = "a"}},
  };
  for (std::size_t i = 0; i < hostile.size(); ++i) {
    stream_of(hostile[i]);
    const auto unpacked = unpack_target(Links::inside);
    ASSERT_FALSE(unpacked) << "stream " << i;
    EXPECT_EQ(unpacked.error().kind, ErrorKind::invalid) << "stream " << i << ": " << unpacked.error().what;
  }
}

TEST_F(Bundle, AHugeSizeIsRefusedBeforeAnythingIsWritten) {
  stream_of({{.kind = Kind::file, .mode = 0644, .size = ~0ULL, .path = "a"}});
  EXPECT_EQ(unpack_target().error().kind, ErrorKind::exhausted);
  EXPECT_FALSE(fs::exists(target_ / "a"));
}

TEST_F(Bundle, EveryTruncationAndEveryFlippedByteIsSeen) {
  write("d/a", "hello");
  write("d/b");
  ASSERT_TRUE(pack_tree({"d"}));
  const std::string whole = read_all(stream_.get(), 1 << 20).value();
  const auto list = [](std::string_view bytes) {
    const Fd fd = memory();
    EXPECT_TRUE(write_all(fd.get(), bytes));
    ::lseek(fd.get(), 0, SEEK_SET);
    return list_bundle(fd.get(), {});
  };
  ASSERT_TRUE(list(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(list(whole.substr(0, size)).error().kind, ErrorKind::invalid) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    EXPECT_FALSE(list(damaged)) << at;
  }
}

TEST_F(Bundle, UnpackingNeverWritesThroughALinkInTheTarget) {
  fs::create_directory(root_ / "precious");
  ASSERT_TRUE(replace_file(root_ / "precious/a", "old", 0644));
  ASSERT_EQ(::symlink((root_ / "precious").c_str(), (target_ / "d").c_str()), 0);
  ASSERT_EQ(::symlink((root_ / "precious/a").c_str(), (target_ / "f").c_str()), 0);
  ASSERT_EQ(::link((root_ / "precious/a").c_str(), (target_ / "g").c_str()), 0);
  stream_of({{.kind = Kind::file, .mode = 0644, .path = "d/a"}});
  EXPECT_FALSE(unpack_target());
  stream_of({{.kind = Kind::directory, .mode = 0755, .path = "d"}});
  EXPECT_EQ(unpack_target().error().kind, ErrorKind::conflict);
  stream_of({{.kind = Kind::file, .mode = 0644, .path = "f"}, {.kind = Kind::file, .mode = 0644, .path = "g"}});
  ASSERT_TRUE(unpack_target());
  EXPECT_FALSE(fs::is_symlink(target_ / "f"));
  EXPECT_EQ(read_file(root_ / "precious/a", 100).value(), "old");
}

TEST_F(Bundle, ALinkInTheStreamIsNoWayOutForWhatFollows) {
  stream_of({{.kind = Kind::link, .mode = 0777, .path = "a"}, {.kind = Kind::file, .mode = 0644, .path = "a/x"}}, "b");
  EXPECT_FALSE(unpack_target(Links::inside));
  stream_of({{.kind = Kind::link, .mode = 0777, .path = "d/a"}}, "../../..");
  const auto unpacked = unpack_target(Links::inside);
  ASSERT_TRUE(unpacked);
  EXPECT_EQ(unpacked->refused.size(), 1U);
  EXPECT_FALSE(fs::is_symlink(target_ / "d/a"));
}

TEST(BundleOrder, ComparesPartsAndNotBytes) {
  EXPECT_TRUE(comes_before("a", "a/b"));
  EXPECT_TRUE(comes_before("a/b", "a.b"));
  EXPECT_TRUE(comes_before("a/\xff", "a0"));
  EXPECT_FALSE(comes_before("a", "a"));
  EXPECT_FALSE(comes_before("a.b", "a/b"));
}

}  // namespace
}  // namespace slipway::os
