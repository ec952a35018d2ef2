#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"
#include "source/git_command.h"
#include "source/remote_access.h"
#include "source/runner.h"

namespace slipway::source {

/// One run of git on what strangers wrote: through a Runner, with nothing of the user's or the machine's configuration
/// but what reaching the remote takes. Hooks, filters, monitors, attributes and templates are off.
struct GitToolCall {
  std::vector<std::string> arguments;
  std::filesystem::path directory;
  Access access;
  std::vector<std::filesystem::path> writable, readable;
  ToolCall::Network network = ToolCall::Network::none;
  std::string input;
  bool is_anonymous = false;  ///< without any login of the user's
  bool large_files = false;   ///< git-lfs puts them in their places, over the network where they are not here
};

/// What it printed. Errors as `run_git`.
Result<std::string> run_git_tool(Runner& runner, const GitToolCall& call, const os::CallLimit& limit);

/// A remote repository, and how it is reached.
class GitRemote {
 public:
  /// `https://`, `http://`, `ssh://`, `user@host:path`, `git://`, `file://`. `invalid` for anything else.
  static Result<GitRemote> of(const std::string& url);

  const std::string& url() const { return url_.clean; }
  bool is_local() const { return url_.clean.starts_with("file://"); }
  /// Of `file://`: where it is; canonical. Empty: it is not there.
  std::filesystem::path local_path() const;

  /// Adds to `call` what reaching the remote takes, runs it, and once more with what the user's credential helpers say
  /// where the remote asks for a login. `kUrl` in the arguments stands for the URL as the user's rules rewrite it.
  Result<std::string> run(Runner& runner, GitToolCall call, const os::CallLimit& limit) const;
  static constexpr const char* kUrl = "{url}";

 private:
  RemoteUrl url_;
};

}  // namespace slipway::source
