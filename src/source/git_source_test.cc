#include "source/git_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "source/git_tool.h"
#include "source/test_support.h"

namespace slipway::source {
namespace {

namespace fs = std::filesystem;
using test::limit;
using test::Repository;
using test::TestDirectory;

class GitSourceTest : public testing::Test {
 protected:
  GitSourceTest() {
    first_ = remote_.commit("file", "one");
    second_ = remote_.commit("file", "two");
  }
  SourceSpec spec(const std::string& revision, bool by_url = true) const {
    return {.kind = "git", .location = (by_url ? "file://" : "") + remote_.root().string(), .revision = revision};
  }
  Prepared prepare(const SourceSpec& wanted) {
    auto prepared = source_.prepare(wanted, limit());
    EXPECT_TRUE(prepared) << prepared.error().what;
    return prepared ? std::move(*prepared) : Prepared{};
  }
  static std::string text(const fs::path& path) { return os::read_file(path, 1000).value_or("(none)"); }

  TestDirectory dir_;
  Repository remote_{dir_.path() / "remote"};
  std::unique_ptr<Runner> runner_ = make_plain_runner({}, {});
  CheckoutStore checkouts_{dir_.path() / "state/checkouts"};
  GitSource source_{dir_.path() / "state/mirrors", checkouts_, *runner_};
  std::string first_, second_;
};

// git's packs are read-only, which holds for whoever is not root.
void cut(const fs::path& pack, std::uintmax_t size) {
  fs::permissions(pack, fs::perms::owner_write, fs::perm_options::add);
  fs::resize_file(pack, size);
}

TEST_F(GitSourceTest, ChecksOutBranchesTagsAndCommitsByUrlAndByPath) {
  remote_.git({"tag", "-a", "v1", "-m", "one", first_});
  for (const bool by_url : {true, false}) {
    const Prepared main = prepare(spec("main", by_url));
    EXPECT_EQ(text(main.directory / "file"), "two");
    EXPECT_EQ(main.sha, second_);
    EXPECT_EQ(main.branch, "main");
    EXPECT_TRUE(fs::exists(main.git_dir / "HEAD"));
    EXPECT_EQ(prepare(spec("refs/heads/main", by_url)).branch, "main");
    EXPECT_EQ(prepare(spec("", by_url)).branch, "main");
    EXPECT_EQ(prepare(spec("HEAD", by_url)).sha, second_);
    const Prepared tag = prepare(spec("v1", by_url));
    EXPECT_EQ(text(tag.directory / "file"), "one");
    EXPECT_EQ(tag.branch, "");
    EXPECT_EQ(prepare(spec(first_, by_url)).sha, first_);
    const Prepared ancestor = prepare(spec("main~1", by_url));
    EXPECT_EQ(ancestor.sha, first_);
    EXPECT_EQ(ancestor.branch, "");
    EXPECT_EQ(prepare(spec(first_.substr(0, 10), by_url)).sha, first_);
  }
  EXPECT_EQ(prepare(spec("HEAD~1", false)).sha, first_);
}

TEST_F(GitSourceTest, APinnedSpecStaysWhereItIsAndNeedsNoRemote) {
  const auto pinned = source_.pin(spec("main"), limit());
  ASSERT_TRUE(pinned) << pinned.error().what;
  EXPECT_EQ(pinned->revision, second_);
  EXPECT_EQ(pinned->branch, "main");
  remote_.commit("file", "three");
  fs::rename(remote_.root(), dir_.path() / "away");
  const Prepared prepared = prepare(*pinned);
  EXPECT_EQ(text(prepared.directory / "file"), "two");
  EXPECT_EQ(prepared.branch, "main");
  fs::rename(dir_.path() / "away", remote_.root());
  EXPECT_EQ(text(prepare(spec("main")).directory / "file"), "three");
}

TEST_F(GitSourceTest, JobsAtOnceShareOneCheckout) {
  std::vector<std::jthread> jobs;
  std::array<fs::path, 4> directories;
  for (std::size_t i = 0; i < directories.size(); ++i) {
    jobs.emplace_back([&, i] { directories[i] = prepare(spec("main")).directory; });
  }
  jobs.clear();
  for (const fs::path& directory : directories) EXPECT_EQ(directory, directories[0]);
  EXPECT_EQ(text(directories[0] / "file"), "two");
}

TEST_F(GitSourceTest, AMissingNameTellsTheNearest) {
  remote_.git({"branch", "release/1.0"});
  const auto wrong = source_.pin(spec("relase/1.0"), limit());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::not_found);
  EXPECT_NE(wrong.error().what.find("did you mean `release/1.0`"), std::string::npos) << wrong.error().what;
  EXPECT_EQ(source_.pin(spec(std::string(40, 'a')), limit()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(source_.pin(spec("--upload-pack=touch /tmp/x"), limit()).error().kind, ErrorKind::invalid);
}

TEST_F(GitSourceTest, AMissingRepositoryIsNotFoundAndNamesNoCredentials) {
  const auto missing = source_.pin({.kind = "git", .location = "file:///no/such/repository"}, limit());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found) << missing.error().what;
  // Nothing listens on port 1: the connection is refused at once.
  const auto secret = source_.pin({.kind = "git", .location = "http://user:s3cret@127.0.0.1:1/x.git"}, limit());
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().kind, ErrorKind::unavailable) << secret.error().what;
  EXPECT_EQ(secret.error().what.find("s3cret"), std::string::npos) << secret.error().what;
}

// Keeps what a tool was called with.
class RecordingRunner final : public Runner {
 public:
  Result<os::CommandOutput> run(const ToolCall& call, const os::CallLimit&) override {
    calls.push_back(call);
    return os::CommandOutput{};
  }
  std::vector<ToolCall> calls;
};

TEST_F(GitSourceTest, CredentialsReachGitForTheirHostOnlyAndOutsideOfArgumentsAndVariables) {
  RecordingRunner recorder;
  const auto remote = GitRemote::of("https://user:p%40ss@example.org:8443/x.git");
  ASSERT_TRUE(remote);
  EXPECT_EQ(remote->url(), "https://example.org:8443/x.git");
  ASSERT_TRUE(remote->run(recorder, {.arguments = {"fetch", GitRemote::kUrl}}, limit()));
  ASSERT_EQ(recorder.calls.size(), 1U);
  const ToolCall& call = recorder.calls[0];
  for (const std::string& word : call.argv) EXPECT_EQ(word.find("p@ss"), std::string::npos);
  for (const auto& [name, value] : call.environment) EXPECT_EQ(value.find("p@ss"), std::string::npos) << name;
  std::string settings, login;
  for (const HomeFile& file : call.home) (file.name == ".gitconfig" ? settings : login) += file.text;
  EXPECT_NE(login.find("password=p@ss\n"), std::string::npos);
  EXPECT_NE(settings.find("[credential \"https://example.org:8443\"]"), std::string::npos);
  EXPECT_EQ(call.argv.back(), "https://example.org:8443/x.git");
}

TEST_F(GitSourceTest, OnlyKnownTransportsAreUsed) {
  for (const char* url : {"ext::sh -c true", "-oProxyCommand=x:y", "foo://host/x", "https+ext://a"}) {
    EXPECT_FALSE(source_.pin({.kind = "git", .location = url}, limit())) << url;
  }
}

TEST_F(GitSourceTest, PullRequestsAreFoundByTheirShortNames) {
  remote_.git({"checkout", "-q", "--detach"});
  const std::string third = remote_.commit("file", "of a pull request");
  remote_.git({"update-ref", "refs/pull/7/head", third});
  remote_.git({"checkout", "-q", "main"});
  for (const bool by_url : {true, false}) {
    for (const char* name : {"pull/7/head", "refs/pull/7/head"}) {
      const Prepared prepared = prepare(spec(name, by_url));
      EXPECT_EQ(prepared.sha, third) << name;
      EXPECT_EQ(text(prepared.directory / "file"), "of a pull request");
      EXPECT_EQ(prepared.branch, "");
    }
  }
  EXPECT_EQ(source_.pin(spec("pull/8/head"), limit()).error().kind, ErrorKind::not_found);
}

TEST_F(GitSourceTest, WhateverHappensToAMirrorItHeals) {
  const auto mirror = [&] {
    for (const auto& entry : fs::directory_iterator(dir_.path() / "state/mirrors")) {
      if (entry.path().extension() == ".git") return entry.path();
    }
    return fs::path();
  };
  const auto packs = [&](const char* extension) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(mirror() / "objects/pack")) {
      if (entry.path().extension() == extension) found.push_back(entry.path());
    }
    return found;
  };
  const std::vector<std::function<void()>> accidents = {
      [&] {
        for (const auto& pack : packs(".pack")) cut(pack, 40);
      },
      [&] {
        for (const auto& pack : packs(".idx")) fs::remove(pack);
      },
      [&] {
        for (const auto& pack : packs(".pack")) (void)os::replace_file(pack, std::string(500, 'x'), 0600);
      },
      [&] { fs::remove(mirror() / "HEAD"); },
      [&] { fs::remove_all(mirror() / "refs"); },
      [&] { (void)os::replace_file(mirror() / "packed-refs", "rubbish", 0600); },
      [&] { (void)os::replace_file(mirror() / "config", "[rubbish", 0600); },
      [&] { (void)os::replace_file(mirror() / "refs/heads/main.lock", "", 0600); },
      [&] { (void)os::replace_file(mirror() / "packed-refs.lock", "", 0600); },
      [&] { (void)os::replace_file(mirror() / "refs/heads/main", std::string(40, '1') + "\n", 0600); },
      [&] { fs::create_directories(mirror().string() + ".new/objects"); },
  };
  prepare(spec("main"));
  for (std::size_t i = 0; i < accidents.size(); ++i) {
    accidents[i]();
    const std::string sha = remote_.commit("file", "after " + std::to_string(i));
    const Prepared prepared = prepare(spec("main"));
    EXPECT_EQ(prepared.sha, sha) << i;
    Repository(prepared.directory).git({"fsck", "--full", "--strict"});
  }
}

TEST_F(GitSourceTest, ADamagedCheckoutIsMadeAnew) {
  const fs::path directory = prepare(spec("main")).directory;
  for (const auto& entry : fs::directory_iterator(directory / ".git/objects/pack")) {
    if (entry.path().extension() == ".pack") cut(entry.path(), 30);
  }
  EXPECT_EQ(prepare(spec("main")).directory, directory);
  Repository(directory).git({"fsck", "--full"});
}

TEST_F(GitSourceTest, ABrokenMirrorIsMadeAnew) {
  prepare(spec("main"));
  for (const auto& mirror : fs::directory_iterator(dir_.path() / "state/mirrors")) {
    if (!mirror.is_directory()) continue;
    ASSERT_TRUE(os::remove_tree(mirror.path() / "objects"));
    ASSERT_TRUE(os::replace_file(mirror.path() / "HEAD", "rubbish", 0600));
  }
  const std::string third = remote_.commit("file", "three");
  EXPECT_EQ(prepare(spec("main")).sha, third);
}

TEST_F(GitSourceTest, DepthLimitsTheHistory) {
  for (const bool by_url : {true, false}) {
    SourceSpec shallow = spec("main", by_url);
    shallow.checkout.depth = 1;
    const Prepared prepared = prepare(shallow);
    EXPECT_EQ(Repository(prepared.directory).git({"rev-list", "--count", "HEAD"}), "1");
    EXPECT_EQ(Repository(prepare(spec("main", by_url)).directory).git({"rev-list", "--count", "HEAD"}), "2");
  }
}

TEST_F(GitSourceTest, SubmodulesComeOnlyWhenAsked) {
  const Repository inner(dir_.path() / "inner");
  inner.commit("in", "inner");
  remote_.git({"submodule", "--quiet", "add", inner.root().string(), "sub"});
  remote_.git({"commit", "-q", "-m", "sub"});
  EXPECT_FALSE(fs::exists(prepare(spec("main")).directory / "sub/in"));
  SourceSpec with = spec("main");
  with.checkout.submodules = true;
  EXPECT_EQ(text(prepare(with).directory / "sub/in"), "inner");
}

TEST_F(GitSourceTest, NothingOfTheRepositoryRuns) {
  const fs::path mark = dir_.path() / "ran";
  remote_.write(".gitattributes", "* filter=evil\n");
  remote_.write("hooks/post-checkout", "#!/bin/sh\ntouch " + mark.string() + "\n");
  fs::permissions(remote_.root() / "hooks/post-checkout", fs::perms::all);
  remote_.git({"add", "-A"});
  remote_.git({"commit", "-q", "-m", "evil"});
  remote_.git({"config", "filter.evil.smudge", "touch " + mark.string() + "; cat"});
  remote_.git({"config", "core.hooksPath", "hooks"});
  remote_.git({"config", "uploadpack.packObjectsHook", "touch " + mark.string() + "; false"});
  for (const bool by_url : {true, false}) prepare(spec("main", by_url));
  EXPECT_FALSE(fs::exists(mark));
}

TEST_F(GitSourceTest, ASweepTakesWhatNobodyUses) {
  const Time future = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()) + std::chrono::hours(1);
  {
    const Prepared held = prepare(spec("main"));
    EXPECT_EQ(checkouts_.sweep(future).value(), 0U);
    EXPECT_TRUE(fs::exists(held.directory / "file"));
  }
  EXPECT_EQ(checkouts_.sweep(from_micros(0)).value(), 0U);
  EXPECT_EQ(checkouts_.sweep(future).value(), 1U);
  EXPECT_EQ(text(prepare(spec("main")).directory / "file"), "two");
}

TEST_F(GitSourceTest, KindsAreFoundByName) {
  Sources sources;
  sources.add(std::make_unique<DirectorySource>());
  sources.add(std::make_unique<GitSource>(dir_.path() / "state/mirrors", checkouts_, *runner_));
  const auto tree = sources.prepare({.kind = "directory", .location = remote_.root().string()}, limit());
  ASSERT_TRUE(tree) << tree.error().what;
  EXPECT_EQ(tree->directory, remote_.root());
  EXPECT_EQ(tree->sha, second_);
  EXPECT_EQ(sources.prepare(spec("main"), limit())->sha, second_);
  const auto unknown = sources.pin({.kind = "svn", .location = "x"}, limit());
  EXPECT_EQ(unknown.error().what, "no kind of source `svn`: there are directory, git");
  sources.find_others_by([](const std::string&) { return std::unique_ptr<Source>(); });
  for (const std::string& location : {std::string("p4://x/y"), std::string("p4+file:///x")}) {
    EXPECT_EQ(sources.pin({.kind = "", .location = location}, limit()).error().what,
              "no kind of source `p4`: there are directory, git, and no program `slipway-source-p4` is in PATH "
              "(docs/sources.md)");
  }
}

}  // namespace
}  // namespace slipway::source
