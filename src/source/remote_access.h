#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"
#include "source/runner.h"

/// How a remote is reached, put together on this side of the confinement: the user's own configuration, credential
/// helpers and ssh settings are asked here, and only what concerns that one host is handed to the tool.
namespace slipway::source {

struct Login {
  std::string user, password;
};

/// What a tool gets to reach one remote.
struct Access {
  std::vector<HomeFile> home;
  Environment environment;
  std::vector<std::filesystem::path> readable;
};

/// Parts of a URL. `host` is empty for `file://` and paths.
struct UrlParts {
  std::string scheme, user, host, port, path;
  /// `https://host:port`
  std::string base() const;
};
/// Also of `user@host:path`, whose scheme is `ssh`.
UrlParts url_parts(std::string_view url);

/// Asks the credential helpers that the user configured for git; never a person. Empty: none knows.
std::optional<Login> ask_credential_helpers(const std::string& url, const os::CallLimit& limit);

/// `url` with the `url.*.insteadOf` rules of the user's git configuration, and the `http.*` settings that hold for it
/// (proxy, authorities) as text of a .gitconfig. Also `safe.directory`. `headers`: the same of headers, which often
/// hold a token, each for the URL that the user set it for, and else for the remote's host.
struct UserGitSettings {
  std::string url, config, headers;
};
UserGitSettings user_git_settings(const std::string& url, const os::CallLimit& limit);

/// The command to run as ssh, and the one means to log in to that host: the agent's socket where the agent has a key,
/// else the first identity file that the user's ssh configuration names for it. Host keys must be known already.
struct SshAccess {
  std::string command;  ///< words without quotes
  Access access;
};
Result<SshAccess> ssh_access(const UrlParts& url, const os::CallLimit& limit);

/// What `ssh -G HOST` printed, as a configuration for that host alone, and the files it needs. For tests.
struct SshSettings {
  std::string config;
  std::vector<std::string> files;
};
SshSettings ssh_settings(std::string_view printed, const std::string& host, bool has_agent);

}  // namespace slipway::source
