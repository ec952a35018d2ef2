#include "source/snapshot.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include "source/test_support.h"

namespace slipway::source {
namespace {

using test::limit;
using test::Repository;
using test::TestDirectory;

class SnapshotTest : public testing::Test {
 protected:
  static std::string hash(const std::filesystem::path& root, const std::vector<std::string>& patterns,
                          bool is_git = true) {
    const Snapshot snapshot(root, is_git, [] { return Changes{}; }, limit());
    auto digest = snapshot.hash(patterns);
    return digest ? *digest : digest.error().what;
  }
  static std::optional<bool> changed(std::optional<std::vector<std::string>> files,
                                     const std::vector<std::string>& patterns) {
    const Snapshot snapshot("/", false, [&] { return Changes{files, "", ""}; }, limit());
    return snapshot.changed(patterns);
  }

  TestDirectory dir_;
  Repository repository_{dir_.path() / "r"};
};

TEST_F(SnapshotTest, TheHashFollowsContentAndNamesAndNothingElse) {
  repository_.commit("deps.lock", "one");
  repository_.commit("src/a.c", "a");
  const auto& root = repository_.root();
  const std::string before = hash(root, {"deps.lock"});
  EXPECT_EQ(before.size(), 64U);
  repository_.write("other", "x");
  EXPECT_EQ(hash(root, {"deps.lock"}), before);
  repository_.write("deps.lock", "two");
  EXPECT_NE(hash(root, {"deps.lock"}), before);
  repository_.write("deps.lock", "one");
  EXPECT_EQ(hash(root, {"deps.lock"}), before);
  EXPECT_EQ(hash(root, {"./deps.lock", "deps.*"}), before);
  repository_.write("copy/deps.lock", "one");
  EXPECT_NE(hash(root, {"copy/deps.lock"}), before);
}

TEST_F(SnapshotTest, PatternsTakeWhatGitDoesNotIgnore) {
  repository_.commit(".gitignore", "build/\n");
  repository_.commit("src/a.c", "a");
  const auto& root = repository_.root();
  const std::string before = hash(root, {"**/*.c"});
  repository_.write("build/b.c", "b");
  EXPECT_EQ(hash(root, {"**/*.c"}), before);
  repository_.write("src/b.c", "b");  // untracked, not ignored
  EXPECT_NE(hash(root, {"**/*.c"}), before);
  EXPECT_EQ(hash(root, {"**/*.c", "!src/b.c"}), before);
  EXPECT_EQ(hash(root, {"src", "!**/b.c"}), before);
  EXPECT_EQ(hash(root, {"build"}).size(), 64U);  // named, so it counts although it is ignored
}

TEST_F(SnapshotTest, WithoutGitItIsTheSameFiles) {
  repository_.commit("src/a.c", "a");
  EXPECT_EQ(hash(repository_.root(), {"**/*.c"}), hash(repository_.root(), {"**/*.c"}, false));
  EXPECT_EQ(hash(repository_.root(), {"**"}), hash(repository_.root(), {"."}, false));
}

TEST_F(SnapshotTest, ACheckoutThatGitCannotListHasNoHash) {
  repository_.commit("a.c", "a");
  std::filesystem::remove(repository_.root() / ".git/HEAD");
  const Snapshot snapshot(repository_.root(), true, [] { return Changes{}; }, limit());
  EXPECT_FALSE(snapshot.hash({"*.c"}));
}

TEST_F(SnapshotTest, LinksAreNotFollowed) {
  ASSERT_EQ(::symlink("/etc/hostname", (repository_.root() / "link").c_str()), 0);
  const std::string before = hash(repository_.root(), {"link"});
  EXPECT_EQ(before.size(), 64U);
  ::unlink((repository_.root() / "link").c_str());
  ASSERT_EQ(::symlink("/etc/passwd", (repository_.root() / "link").c_str()), 0);
  EXPECT_NE(hash(repository_.root(), {"link"}), before);
  ASSERT_EQ(::symlink("/etc", (repository_.root() / "tree").c_str()), 0);
  EXPECT_EQ(hash(repository_.root(), {"tree/passwd"}).find("no file"), std::string::npos);
}

TEST_F(SnapshotTest, NoMatchAndBadPatternsAreErrors) {
  repository_.commit("a", "a");
  const Snapshot snapshot(repository_.root(), true, [] { return Changes{}; }, limit());
  EXPECT_EQ(snapshot.hash({"none"}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(snapshot.hash({"*.none"}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(snapshot.hash({"../x"}).error().kind, ErrorKind::invalid);
  EXPECT_EQ(snapshot.hash({"/etc/passwd"}).error().kind, ErrorKind::invalid);
}

TEST_F(SnapshotTest, AnswersStayTheSameWhileTheTreeChanges) {
  repository_.write("a", "one");
  const Snapshot snapshot(repository_.root(), true, [] { return Changes{}; }, limit());
  const auto before = snapshot.hash({"a"});
  repository_.write("a", "two");
  EXPECT_EQ(snapshot.hash({"a"}).value(), *before);
}

TEST_F(SnapshotTest, ChangedAsksOnceAndUnknownStaysUnknown) {
  EXPECT_EQ(changed({{"src/a.c", "README"}}, {"src/**"}), true);
  EXPECT_EQ(changed({{"src/a.c"}}, {"src"}), true);
  EXPECT_EQ(changed({{"src/a.c"}}, {"docs/**"}), false);
  EXPECT_EQ(changed({{"src/a.c"}}, {"**", "!src/**"}), false);
  EXPECT_EQ(changed(std::nullopt, {"src"}), std::nullopt);
  int asked = 0;
  const Snapshot snapshot(
      "/", false,
      [&] {
        ++asked;
        return Changes{};
      },
      limit());
  (void)snapshot.changed({"a"});
  (void)snapshot.changed({"b"});
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace slipway::source
