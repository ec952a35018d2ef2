#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"

namespace slipway::source {

/// One run of git on the user's own checkout, with the user's rights; what is fetched from elsewhere is only touched by
/// git_tool.h. Never asks for anything, runs no hook and no file system monitor, takes no optional lock (so it
/// writes nothing to a user's checkout), and ignores the `GIT_DIR` and its like of a hook that called us.
struct GitCall {
  std::filesystem::path directory;  ///< empty: ours
  std::vector<std::string> arguments;
  enum class Config {
    user,      ///< with the user's configuration: credentials, proxies, safe.directory
    isolated,  ///< without: no filter, no attribute, nothing of the machine has a say
  } config = Config::user;
  std::vector<std::pair<std::string, std::string>> environment;  ///< on top
  int stdin_fd = -1;                                             ///< -1: /dev/null
};

/// A question to this repository, whatever its configuration says of another working tree.
GitCall question_to(const std::filesystem::path& git_dir, const std::filesystem::path& work_tree,
                    std::vector<std::string> arguments);

/// What it printed, at most 64 MiB. Errors hold git's own words without credentials, and a kind: `not_found`,
/// `denied` (credentials), `unavailable` (network, or no git here), else `internal`.
Result<std::string> run_git(const GitCall& call, const os::CallLimit& limit);

/// `run_git`, one value: without the end of line.
Result<std::string> ask_git(const GitCall& call, const os::CallLimit& limit);

/// Settings that switch off hooks, monitors and whatever else runs by itself; as `-c` arguments.
std::vector<std::string> git_guards();

/// What git's failure says: its own words without credentials, and the kind that `run_git` names.
Error git_error(const std::vector<std::string>& arguments, int exit_code, std::string_view error_output);

/// The same for hg, svn and curl.
Error tool_error(const std::string& tool, int exit_code, std::string_view error_output);

/// A URL and what was in it to log in.
struct RemoteUrl {
  std::string clean;
  std::string user, password;

  static RemoteUrl parse(std::string_view url);
};

/// Text that may hold URLs, without their credentials.
std::string redact(std::string_view text);

/// `invalid` for what git could take for an option, or that no revision can be.
Result<void> check_revision(std::string_view revision);

bool is_full_sha(std::string_view text);

/// Splits output of `-z`.
std::vector<std::string> split_nul(std::string_view text);

}  // namespace slipway::source
