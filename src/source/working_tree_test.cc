#include "source/working_tree.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "os/files.h"
#include "source/git_command.h"
#include "source/git_files.h"
#include "source/test_support.h"

namespace slipway::source {
namespace {

namespace fs = std::filesystem;
using test::limit;
using test::Repository;
using test::TestDirectory;
using Paths = std::vector<std::string>;

/// A remote with one commit, and a clone of it.
class WorkingTreeTest : public testing::Test {
 protected:
  WorkingTreeTest() {
    first_ = remote_.commit("README", "hello");
    remote_.git({"clone", "-q", remote_.root().string(), (dir_.path() / "clone").string()});
  }
  Repository clone() const { return Repository(dir_.path() / "clone"); }
  static WorkingTree read(const fs::path& path) {
    auto tree = read_working_tree(path, limit());
    EXPECT_TRUE(tree) << tree.error().what;
    return tree.value_or(WorkingTree{});
  }

  TestDirectory dir_;
  Repository remote_{dir_.path() / "remote"};
  std::string first_;
};

TEST_F(WorkingTreeTest, KnowsACloneFromAnyDirectoryInIt) {
  const Repository repository = clone();
  repository.write("a/b/c", "x");
  const WorkingTree tree = read(repository.root() / "a/b");
  EXPECT_TRUE(tree.is_git);
  EXPECT_EQ(tree.root, repository.root());
  EXPECT_EQ(tree.branch, "main");
  EXPECT_EQ(tree.sha, first_);
  EXPECT_EQ(tree.default_branch, "main");
  EXPECT_EQ(tree.upstream, "refs/remotes/origin/main");
  EXPECT_EQ(tree.remote_url, remote_.root());
}

TEST_F(WorkingTreeTest, SaysTheSameWhenRefsArePacked) {
  const Repository repository = clone();
  repository.git({"checkout", "-q", "-b", "feature/x"});
  const std::string sha = repository.commit("b", "x");
  repository.git({"pack-refs", "--all", "--prune"});
  const WorkingTree tree = read(repository.root());
  EXPECT_EQ(tree.branch, "feature/x");
  EXPECT_EQ(tree.sha, sha);
  EXPECT_EQ(tree.upstream, "");
  EXPECT_EQ(tree.default_branch, "main");
}

TEST_F(WorkingTreeTest, KnowsADetachedHeadAndALinkedWorktree) {
  const Repository repository = clone();
  repository.git({"worktree", "add", "-q", "--detach", (dir_.path() / "linked").string()});
  repository.git({"worktree", "add", "-q", "-b", "other", (dir_.path() / "other").string()});
  EXPECT_EQ(read(dir_.path() / "linked").branch, "");
  EXPECT_EQ(read(dir_.path() / "linked").sha, first_);
  const WorkingTree other = read(dir_.path() / "other");
  EXPECT_EQ(other.branch, "other");
  EXPECT_EQ(other.sha, first_);
  EXPECT_EQ(other.common_dir, repository.root() / ".git");
  EXPECT_EQ(other.default_branch, "main");
}

TEST_F(WorkingTreeTest, KnowsASubmodule) {
  const Repository repository = clone();
  repository.git({"submodule", "--quiet", "add", remote_.root().string(), "sub"});
  EXPECT_EQ(read(repository.root() / "sub").sha, first_);
  EXPECT_EQ(read(repository.root() / "sub").root, repository.root() / "sub");
}

TEST_F(WorkingTreeTest, APlainDirectoryIsNoError) {
  const TestDirectory plain;
  const WorkingTree tree = read(plain.path());
  EXPECT_FALSE(tree.is_git);
  EXPECT_EQ(tree.root, plain.path());
  EXPECT_EQ(read_working_tree(plain.path() / "none", limit()).error().kind, ErrorKind::not_found);
}

TEST_F(WorkingTreeTest, ARepositoryWithoutCommitsHasABranchAndNoSha) {
  const Repository empty(dir_.path() / "empty");
  const WorkingTree tree = read(empty.root());
  EXPECT_EQ(tree.branch, "main");
  EXPECT_EQ(tree.sha, "");
  EXPECT_EQ(changed_files(tree, "", "", limit()).files, std::nullopt);
}

TEST_F(WorkingTreeTest, HidesCredentialsOfTheRemote) {
  const Repository repository = clone();
  repository.git({"remote", "set-url", "origin", "https://user:s3cret@example.org/x.git"});
  EXPECT_EQ(read(repository.root()).remote_url, "https://example.org/x.git");
  EXPECT_EQ(without_credentials("https://user@example.org/x"), "https://example.org/x");
  EXPECT_EQ(without_credentials("ssh://user:pw@example.org/x"), "ssh://user@example.org/x");
  EXPECT_EQ(without_credentials("git@example.org:x/y.git"), "git@example.org:x/y.git");
  EXPECT_EQ(without_credentials("https://example.org/a@b"), "https://example.org/a@b");
  EXPECT_EQ(redact("fatal: 'https://user:b@h/x' and https://user@host"), "fatal: 'https://h/x' and https://host");
}

TEST_F(WorkingTreeTest, FindsTagsAtHeadLooseOrPackedPlainOrAnnotated) {
  const Repository repository = clone();
  EXPECT_EQ(tag_at_head(read(repository.root()), limit()).value(), "");
  repository.git({"tag", "v1"});
  EXPECT_EQ(tag_at_head(read(repository.root()), limit()).value(), "v1");
  repository.git({"tag", "-a", "v2", "-m", "two"});
  EXPECT_EQ(tag_at_head(read(repository.root()), limit()).value(), "v2");
  repository.git({"pack-refs", "--all"});
  EXPECT_EQ(tag_at_head(read(repository.root()), limit()).value(), "v2");
  repository.commit("b", "x");
  EXPECT_EQ(tag_at_head(read(repository.root()), limit()).value(), "");
}

TEST_F(WorkingTreeTest, ChangesAreThoseSinceTheUpstreamWithUntrackedFiles) {
  const Repository repository = clone();
  repository.commit("committed", "x");
  repository.write("README", "changed");
  repository.write("new file\nwith a line", "x");
  repository.write(".gitignore", "ignored\n");
  repository.write("ignored", "x");
  const Changes changes = changed_files(read(repository.root()), "", "", limit());
  ASSERT_TRUE(changes.files) << changes.reason;
  EXPECT_EQ(*changes.files, (Paths{".gitignore", "README", "committed", "new file\nwith a line"}));
  EXPECT_EQ(changes.base, first_);
}

TEST_F(WorkingTreeTest, ChangesOfABranchAreThoseSinceItLeftTheDefaultBranch) {
  const Repository repository = clone();
  repository.git({"checkout", "-q", "-b", "dev"});
  repository.commit("mine", "x");
  repository.git({"checkout", "-q", "main"});
  repository.commit("theirs", "x");
  repository.git({"checkout", "-q", "dev"});
  repository.git({"rm", "-q", "README"});
  EXPECT_EQ(changed_files(read(repository.root()), "", "", limit()).files, (Paths{"README", "mine"}));
  EXPECT_EQ(changed_files(read(repository.root()), "main", "main", limit()).files, Paths{});
  EXPECT_EQ(changed_files(read(repository.root()), first_, "main", limit()).files, Paths{"theirs"});
}

TEST_F(WorkingTreeTest, WithNothingToCompareChangesAreUnknown) {
  const Repository repository = clone();
  const Changes clean = changed_files(read(repository.root()), "", "", limit());
  EXPECT_EQ(clean.files, std::nullopt);
  EXPECT_NE(clean.reason.find("nothing differs"), std::string::npos);
  const Changes wrong = changed_files(read(repository.root()), "no-such-branch", "", limit());
  EXPECT_EQ(wrong.files, std::nullopt);
  EXPECT_NE(wrong.reason, "");
  EXPECT_EQ(changed_files(read(repository.root()), "--output=/tmp/x", "", limit()).files, std::nullopt);
}

TEST_F(WorkingTreeTest, ComparingRunsNothingOfTheRepository) {
  const Repository repository = clone();
  const fs::path mark = dir_.path() / "ran";
  repository.write("evil.sh", "#!/bin/sh\ntouch " + mark.string() + "\ncat\n");
  fs::permissions(repository.root() / "evil.sh", fs::perms::all);
  const std::string evil = (repository.root() / "evil.sh").string();
  repository.git({"config", "core.fsmonitor", evil});
  repository.git({"config", "diff.external", evil});
  repository.git({"config", "core.hooksPath", repository.root().string()});
  ASSERT_TRUE(changed_files(read(repository.root()), "", "", limit()).files);
  EXPECT_FALSE(fs::exists(mark));
}

TEST_F(WorkingTreeTest, ComparingRunsNoFilterOfTheRepository) {
  const Repository repository = clone();
  const fs::path ran = dir_.path() / "ran";
  repository.write(".gitattributes", "*.txt filter=a=b\n*.md filter=p\n");
  repository.write("a.txt", "1");
  repository.commit("a.md", "1");
  repository.git({"checkout", "-q", "-b", "feature"});
  repository.git({"config", "filter.a=b.clean", "touch " + ran.string() + "; cat"});
  repository.git({"config", "filter.p.process", "touch " + ran.string()});
  repository.git({"config", "filter.p.required", "true"});
  fs::remove(ran);
  repository.write("a.txt", "2");
  repository.write("a.md", "2");
  const Changes changes = changed_files(read(repository.root()), "main", "", limit());
  ASSERT_TRUE(changes.files) << changes.reason;
  EXPECT_NE(std::ranges::find(*changes.files, "a.txt"), changes.files->end());
  EXPECT_FALSE(fs::exists(ran));
}

TEST_F(WorkingTreeTest, ARepositoryThatIsNotTheCheckoutsOwnIsNotShown) {
  const Repository repository = clone();
  EXPECT_TRUE(read(repository.root()).is_git);
  repository.git({"worktree", "add", "-q", (dir_.path() / "linked").string(), "-b", "linked"});
  EXPECT_TRUE(read(dir_.path() / "linked").is_git);

  const fs::path planted = dir_.path() / "planted";
  fs::create_directories(planted);
  os::replace_file(planted / ".git", "gitdir: " + (repository.root() / ".git/worktrees/linked").string() + "\n", 0644)
      .value();
  EXPECT_FALSE(read(planted).is_git) << "a worktree that names another checkout back";

  os::replace_file(repository.root() / ".git/commondir", dir_.path().string() + "\n", 0644).value();
  EXPECT_FALSE(read(repository.root()).is_git) << "any directory of the machine";
}

TEST_F(WorkingTreeTest, AnswersWhatJobsAsk) {
  const Repository repository = clone();
  const std::string second = repository.commit("b", "x");
  EXPECT_EQ(changed_between(repository.root() / ".git", first_, second, limit()).value(), Paths{"b"});
  EXPECT_EQ(changed_between(repository.root() / ".git", "HEAD^", "HEAD", limit()).value(), Paths{"b"});
  EXPECT_EQ(changed_between(repository.root() / ".git", first_ + "^", first_, limit()).value(), Paths{"README"});
  EXPECT_EQ(changed_between(repository.root() / ".git", first_ + "^", second, limit()).error().kind,
            ErrorKind::not_found);
  EXPECT_EQ(changed_between(repository.root() / ".git", "nope", second, limit()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(changed_between(repository.root() / ".git", "--all", second, limit()).error().kind, ErrorKind::invalid);
  const auto info = git_info(read(repository.root()), limit());
  ASSERT_TRUE(info) << info.error().what;
  EXPECT_NE(info->find("\"sha\":\"" + second + "\""), std::string::npos);
  EXPECT_NE(info->find("\"author\":\"Ada\""), std::string::npos);
  EXPECT_EQ(git_info({}, limit()).value(), "{}");
}

TEST(GitConfig, ReadsSectionsQuotesAndComments) {
  const auto config = parse_git_config(
      "[core]\n\tbare = false ; no\n[remote \"o.r\\\"ig\"]\n url = \"a b\" # c\n\tFetch=+x\n[x]flag\n[a]\nlong = one "
      "\\\ntwo\n"
      "[bool]\n  on\n");
  EXPECT_EQ(config.at("core.bare"), "false");
  EXPECT_EQ(config.at("remote.o.r\"ig.url"), "a b");
  EXPECT_EQ(config.at("remote.o.r\"ig.fetch"), "+x");
  EXPECT_EQ(config.at("a.long"), "one two");
  EXPECT_EQ(config.at("bool.on"), "true");
}

TEST(ConfigForJobs, HoldsNoCredentialAndNamesNoProgram) {
  const std::string shown = config_for_jobs(
      "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = /bin/evil\n\thooksPath = /x\n\tsshCommand = ssh -i key\n"
      "[remote \"origin\"]\n\turl = https://me:token@host.example/x.git\n\tfetch = "
      "+refs/heads/*:refs/remotes/origin/*\n"
      "\tfetch = +refs/tags/*:refs/tags/*\n\tproxy = http://u:p@proxy.example\n"
      "[http \"https://host.example/\"]\n\textraheader = AUTHORIZATION: basic abc\n[credential]\n\thelper = store\n"
      "[include]\n\tpath = ../secret\n[url \"https://tok@host.example\"]\n\tinsteadOf = x\n[filter \"f\"]\n\tsmudge = "
      "evil\n");
  EXPECT_EQ(shown,
            "[core]\n\trepositoryformatversion = \"0\"\n[remote \"origin\"]\n\turl = \"https://host.example/x.git\"\n"
            "\tfetch = \"+refs/heads/*:refs/remotes/origin/*\"\n\tfetch = \"+refs/tags/*:refs/tags/*\"\n");
}

TEST(ConfigForJobs, KeepsNamesThatNeedQuoting) {
  const auto shown = parse_git_config(config_for_jobs("[branch \"a\\\"]\\\\b\"]\n\tmerge = \"refs/heads/# x\"\n"));
  EXPECT_EQ(shown.at("branch.a\"]\\b.merge"), "refs/heads/# x");
}

}  // namespace
}  // namespace slipway::source
