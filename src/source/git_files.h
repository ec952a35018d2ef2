#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Reads of a repository's files what a start needs, without starting git.
namespace slipway::source {

/// `section.key` or `section.sub.key` (section and key in lower case) → the last value. What cannot be read is left
/// out; `include` is not followed.
std::map<std::string, std::string> parse_git_config(std::string_view text);

/// The settings of a repository's `config` that a job may see: no credentials (URLs lose theirs; headers, helpers and
/// other hosts' rules are left out) and nothing that names a program to run.
std::string config_for_jobs(std::string_view text);

/// Refs of one repository. Not thread-safe.
class GitRefs {
 public:
  GitRefs(std::filesystem::path git_dir, std::filesystem::path common_dir)
      : git_dir_(std::move(git_dir)), common_dir_(std::move(common_dir)) {}

  struct Value {
    std::string sha;       ///< empty when symbolic
    std::string symbolic;  ///< the name it stands for
  };
  std::optional<Value> read(const std::string& name);
  /// Through symbolic refs to a commit.
  std::optional<std::string> resolve(const std::string& name);

  /// Every packed tag and, where known, the commit it stands for; loose ones by what their files hold.
  struct Tag {
    std::string name, sha;
    bool peeled = false;  ///< `sha` is surely a commit's
  };
  std::vector<Tag> tags();

 private:
  const std::string& packed();
  std::filesystem::path git_dir_, common_dir_;
  std::optional<std::string> packed_;
};

/// Where a checkout's repository is.
struct GitPlace {
  std::filesystem::path root, git_dir, common_dir;
};
/// The checkout that `start` (absolute) lies in, upwards. No value: none.
std::optional<GitPlace> find_git(const std::filesystem::path& start);

/// Is the repository the checkout's own? A `.git` says by itself where its repository is, and may name any directory of
/// this machine: it counts only where that is the checkout's own `.git`, or names the checkout back (a linked worktree,
/// a submodule), is built like a repository, and belongs to the checkout's owner.
bool owns_repository(const GitPlace& place);

}  // namespace slipway::source
