#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"
#include "os/file_lock.h"
#include "source/git_tool.h"

namespace slipway::source {

/// Where git repositories are read from: a repository by path as it is, or the mirror of a remote one.
///
/// A mirror is `HASH.git` in the directory for mirrors, with `HASH.lock` (held exclusively to change it, shared to read
/// objects from it) and `HASH.packs`, what its packs looked like after the last fetch: a mirror with other packs than
/// those, or one that git complains about, is made anew beside itself and takes its own place when it is whole.
class GitMirror {
 public:
  /// `location`: a path or URL. `mirrors`: the directory for mirrors. Touches nothing yet.
  static Result<GitMirror> of(const std::string& location, const std::filesystem::path& mirrors, Runner& runner);

  /// Without credentials.
  const std::string& url() const { return url_; }
  const std::optional<GitRemote>& remote() const { return remote_; }
  /// A path, or `file://`: its submodules may be files as well.
  bool is_local() const { return !remote_ || remote_->is_local(); }
  /// Of a local one: where it is.
  std::filesystem::path local_path() const { return remote_ ? remote_->local_path() : git_dir_; }
  const std::filesystem::path& git_dir() const { return git_dir_; }
  /// Everything that git reads there.
  std::vector<std::filesystem::path> readable() const;

  struct Found {
    std::string sha, branch;
  };
  /// The commit that `revision` names now: branch, tag, `refs/...`, `pull/N/head`, any commit id. A remote is fetched,
  /// unless `revision` is a full commit id that is here.
  Result<Found> find(const std::string& revision, const os::CallLimit& limit) const;

  /// `REF SHA` lines of branches and tags.
  Result<std::string> refs(const os::CallLimit& limit) const;
  /// Held while objects are taken from it.
  Result<std::optional<os::FileLock>> hold(const os::CallLimit& limit) const;
  /// Throws a mirror away for a new one. Nothing for a path.
  Result<void> make_anew(const os::CallLimit& limit) const;

 private:
  explicit GitMirror(Runner& runner) : runner_(&runner) {}
  Result<std::string> git(std::vector<std::string> arguments, const os::CallLimit& limit, std::string input = {}) const;
  Result<std::string> first_of(const std::vector<std::string>& names, std::size_t& which,
                               const os::CallLimit& limit) const;
  bool is_sound() const;
  Result<void> remember() const;
  Result<void> fetch_into(const std::filesystem::path& git_dir, const std::vector<std::string>& refspecs,
                          const os::CallLimit& limit) const;
  Result<void> update(const os::CallLimit& limit) const;
  Result<void> rebuild(const os::CallLimit& limit) const;
  Result<void> tidy(const os::CallLimit& limit) const;
  Result<std::string> remote_head(const os::CallLimit& limit) const;
  Result<Found> look_up(const std::string& revision, const os::CallLimit& limit) const;
  Result<Found> find_locked(const std::string& revision, const os::CallLimit& limit) const;
  std::string nearest_names(const std::string& revision, const os::CallLimit& limit) const;

  Runner* runner_;
  std::string url_;
  std::optional<GitRemote> remote_;  // none: a path
  std::filesystem::path git_dir_, lock_, packs_, worktree_dir_;
};

}  // namespace slipway::source
