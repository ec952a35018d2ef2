#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"

namespace slipway::source {

/// What a checkout says about itself.
struct WorkingTree {
  std::filesystem::path root;  ///< absolute; of a plain directory that directory
  bool is_git = false;
  std::filesystem::path git_dir;     ///< this checkout's own (`.git/worktrees/NAME` of a linked one)
  std::filesystem::path common_dir;  ///< where the refs and objects are
  std::string branch;                ///< empty: detached
  std::string sha;                   ///< empty: no commit yet
  std::string default_branch;        ///< of the remote; else `main` or `master`, whichever there is; else `branch`
  std::string upstream;              ///< the ref that `branch` follows, `refs/remotes/origin/main`; empty: none
  std::string remote_url;            ///< without credentials; empty: no remote
};

/// Reads the files of `.git`, about 0.2 ms; asks git where they are of a kind not read here (reftable).
/// `start` may lie below the root. A directory without git is no error, and one whose `.git`
/// leads to a repository that is not its own (git_files.h) counts as such.
Result<WorkingTree> read_working_tree(const std::filesystem::path& start, const os::CallLimit& limit);

/// A tag that points at HEAD, the last by name; empty: none. Starts git only where a tag object must be looked into.
Result<std::string> tag_at_head(const WorkingTree& tree, const os::CallLimit& limit);

/// The commit behind a name. `not_found`: none; `invalid`: not a git checkout, or no name of a revision.
Result<std::string> commit_of(const WorkingTree& tree, const std::string& revision, const os::CallLimit& limit);

/// Which files an event changed. No `files`: unknown, `reason` says why, and every path filter matches.
struct Changes {
  std::optional<std::vector<std::string>> files;  ///< below the root, sorted
  std::string base;                               ///< the commit compared with
  std::string reason;
};

/// Compares with the merge-base of `base` (empty: the upstream; where that holds nothing new, the default branch).
/// `revision` empty: the working tree with what is not committed and not ignored; else that commit. Starts git.
Changes changed_files(const WorkingTree& tree, const std::string& base, const std::string& revision,
                      const os::CallLimit& limit);

/// For `slipway changed-files` in a job: the files that differ between two revisions of the repository. Since `X^`
/// where `X` is the first commit, all of `X`. `not_found`: no such revision.
Result<std::vector<std::string>> changed_between(const std::filesystem::path& git_dir, const std::string& from,
                                                 const std::string& to, const os::CallLimit& limit);

/// For `slipway git-info` in a job: {"branch","sha","short_sha","default_branch","url","tag","commit":{"author",
/// "author_email","date","subject"}}. Without `.git`: {}.
Result<std::string> git_info(const WorkingTree& tree, const os::CallLimit& limit);

/// `https://user:token@host/x` → `https://host/x`. The user of an ssh URL stays: it is no secret.
std::string without_credentials(std::string_view url);

}  // namespace slipway::source
