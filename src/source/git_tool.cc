#include "source/git_tool.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr const char* kGitConfig = ".gitconfig";
constexpr const char* kLoginFile = ".slipway-login";

void add(Access& to, Access from) {
  to.environment.insert(to.environment.end(), from.environment.begin(), from.environment.end());
  to.readable.insert(to.readable.end(), from.readable.begin(), from.readable.end());
  for (HomeFile& file : from.home) {
    const auto same = std::ranges::find(to.home, file.name, &HomeFile::name);
    if (same == to.home.end()) {
      to.home.push_back(std::move(file));
    } else {
      same->text += file.text;
    }
  }
}

// Git asks for a login by host: the helper is bound to this one, and there is no other.
Access login_access(const UrlParts& url, const Login& login) {
  Access access;
  access.home.push_back({kLoginFile, fmt::format("username={}\npassword={}\n", login.user, login.password)});
  access.home.push_back(
      {kGitConfig, fmt::format("[credential \"{}\"]\n\thelper =\n\thelper = \"!f() {{ cat \\\"$HOME/{}\\\"; }}; f\"\n",
                               url.base(), kLoginFile)});
  return access;
}

Result<Access> access_to(const UrlParts& url, const UserGitSettings& settings, bool is_anonymous,
                         const os::CallLimit& limit) {
  Access access;
  const std::string config = settings.config + (is_anonymous ? "" : settings.headers);
  if (!config.empty()) access.home.push_back({kGitConfig, config});
  // A private authority, named in the user's settings.
  for (const std::string_view line : split(settings.config, '\n')) {
    const std::size_t quote = line.find('"');
    if (line.find("sslca") == std::string_view::npos || quote == std::string_view::npos || line.size() < quote + 3)
      continue;
    std::error_code error;
    const fs::path file = fs::canonical(line.substr(quote + 1, line.size() - quote - 2), error);
    if (!error) access.readable.push_back(file);
  }
  if (!is_anonymous && (url.scheme == "ssh" || url.scheme == "git+ssh")) {
    SW_TRY(SshAccess ssh, ssh_access(url, limit));
    ssh.access.environment.emplace_back("GIT_SSH_COMMAND", ssh.command);
    add(access, std::move(ssh.access));
  }
  return access;
}

}  // namespace

Result<std::string> run_git_tool(Runner& runner, const GitToolCall& call, const os::CallLimit& limit) {
  ToolCall tool;
  tool.argv = git_guards();
  tool.argv.insert(tool.argv.begin(), "git");
  tool.argv.insert(tool.argv.end(), call.arguments.begin(), call.arguments.end());
  tool.directory = call.directory;
  tool.environment = {{"GIT_TERMINAL_PROMPT", "0"},     {"GIT_ASKPASS", ""},
                      {"SSH_ASKPASS_REQUIRE", "never"}, {"GIT_CONFIG_NOSYSTEM", "1"},
                      {"GIT_ATTR_NOSYSTEM", "1"},       {"GIT_LFS_SKIP_SMUDGE", call.large_files ? "0" : "1"}};
  tool.environment.insert(tool.environment.end(), call.access.environment.begin(), call.access.environment.end());
  tool.home = call.access.home;
  tool.writable = call.writable;
  tool.readable = call.readable;
  tool.readable.insert(tool.readable.end(), call.access.readable.begin(), call.access.readable.end());
  tool.network = call.network;
  tool.input = call.input;
  SW_TRY(os::CommandOutput output, runner.run(tool, limit));
  if (output.exit_code == 0) return std::move(output.out);
  return std::unexpected(git_error(call.arguments, output.exit_code, output.err));
}

Result<GitRemote> GitRemote::of(const std::string& url) {
  constexpr std::string_view kSchemes[] = {"https", "http", "ssh", "git+ssh", "git", "file"};
  const UrlParts parts = url_parts(url);
  if (url.find("::") < url.find('/') || !std::ranges::count(kSchemes, std::string_view(parts.scheme))) {
    return fail(ErrorKind::invalid, "git cannot fetch `" + printable(redact(url), Colour::strip) +
                                        "`: it takes https, ssh, git and file URLs");
  }
  GitRemote remote;
  remote.url_ = RemoteUrl::parse(url);
  return remote;
}

fs::path GitRemote::local_path() const {
  if (!is_local()) return {};
  const std::string path = url_parts(url_.clean).path;
  std::error_code error;
  for (const std::string& name : {path, path + ".git"}) {
    if (fs::path whole = fs::canonical(name, error); !error) return whole;
  }
  return {};
}

Result<std::string> GitRemote::run(Runner& runner, GitToolCall call, const os::CallLimit& limit) const {
  const UserGitSettings settings = user_git_settings(url_.clean, limit);
  const UrlParts parts = url_parts(settings.url);
  SW_TRY(Access access, access_to(parts, settings, call.is_anonymous, limit));
  add(call.access, std::move(access));
  std::ranges::replace(call.arguments, std::string(kUrl), settings.url);
  if (is_local()) {
    const fs::path path = local_path();
    if (path.empty()) return fail(ErrorKind::not_found, "no repository " + url_.clean);
    call.readable.push_back(path);
  } else {
    call.network = ToolCall::Network::host;
  }
  if (call.is_anonymous) return run_git_tool(runner, call, limit);
  const bool has_login = !url_.user.empty() || !url_.password.empty();
  if (has_login && parts.scheme.starts_with("http")) {
    add(call.access, login_access(parts, {url_.user, url_.password}));
  }
  auto output = run_git_tool(runner, call, limit);
  if (output || output.error().kind != ErrorKind::denied || has_login) return output;
  const auto login = ask_credential_helpers(settings.url, limit);
  if (!login) return output;
  add(call.access, login_access(parts, *login));
  return run_git_tool(runner, call, limit);
}

}  // namespace slipway::source
