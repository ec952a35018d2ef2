#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"
#include "source/git_command.h"

namespace slipway::source {

/// Where git repositories are read from: a repository by path as it is, or the mirror of a remote one.
class GitMirror {
 public:
  /// `location`: a path or URL. `mirrors`: the directory for mirrors. Touches nothing yet.
  static Result<GitMirror> of(const std::string& location, const std::filesystem::path& mirrors,
                              const os::CallLimit& limit);

  const std::string& url() const { return url_.clean; }
  const RemoteUrl& remote() const { return url_; }
  bool is_path() const { return is_path_; }
  /// `is_path()`, or `file://`: its submodules may be files as well.
  bool is_local() const { return is_path_ || url_.clean.starts_with("file://"); }
  const std::filesystem::path& git_dir() const { return git_dir_; }

  struct Found {
    std::string sha, branch;
  };
  /// The commit that `revision` names now. A remote is fetched under the mirror's lock, unless `revision` is a commit
  /// id that is here; a mirror that is broken is made anew, once.
  Result<Found> find(const std::string& revision, const os::CallLimit& limit) const;

 private:
  Result<std::string> git(std::vector<std::string> arguments, const os::CallLimit& limit) const;
  bool has_commit(const std::string& sha, const os::CallLimit& limit) const;
  Result<void> fetch(const std::vector<std::string>& refspecs, const os::CallLimit& limit) const;
  Result<void> update(const os::CallLimit& limit) const;
  Result<std::string> commit_of(const std::string& name, const os::CallLimit& limit) const;
  Result<std::string> remote_head(const os::CallLimit& limit) const;
  Result<Found> look_up(const std::string& revision, const os::CallLimit& limit) const;
  std::string nearest_names(const std::string& revision, const os::CallLimit& limit) const;

  RemoteUrl url_;
  bool is_path_ = false;
  std::filesystem::path git_dir_, lock_;
};

/// A name for a directory: 32 hex digits of a digest of `text`.
std::string hashed(std::string_view text);

}  // namespace slipway::source
