#include "source/remote_access.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "os/files.h"
#include "os/subprocess.h"
#include "source/git_command.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostAnswer = 1U << 20U;

Result<os::CommandOutput> ask(std::vector<std::string> argv, const os::CallLimit& limit) {
  os::Subprocess::Options options;
  options.argv = std::move(argv);
  return os::run_command(options, kMostAnswer, limit);
}

// A program's path as it is seen inside: without links.
std::optional<fs::path> existing(const std::string& path) {
  std::error_code error;
  fs::path whole = fs::canonical(path, error);
  if (error || ::access(whole.c_str(), R_OK) != 0) return std::nullopt;
  return whole;
}

std::string expand_home(std::string_view path) {
  const char* home = std::getenv("HOME");
  if (path.starts_with("~/") && home != nullptr) return std::string(home) + std::string(path.substr(1));
  return std::string(path);
}

bool agent_has_key(const os::CallLimit& limit) {
  if (std::getenv("SSH_AUTH_SOCK") == nullptr) return false;
  const auto listed = ask({"ssh-add", "-l"}, limit);
  return listed && listed->exit_code == 0;
}

// The user's own command may name a key and settings by path: those are what it was given.
SshAccess ssh_by_command(const std::string& command) {
  SshAccess ssh{command, {}};
  for (const std::string_view word : split(command, ' ')) {
    const std::size_t value = word.find('=');
    const std::string_view path = value == std::string_view::npos ? word : word.substr(value + 1);
    if (!path.starts_with("/") || path.starts_with("/usr/") || path.starts_with("/dev/")) continue;
    if (auto file = existing(std::string(path)); file && fs::is_regular_file(*file)) {
      ssh.access.readable.push_back(std::move(*file));
    }
  }
  return ssh;
}

bool holds_for(std::string_view key, const std::string& url) {
  // `http.PROXY` or `http.URL.proxy`
  const std::size_t first = key.find('.');
  const std::size_t last = key.rfind('.');
  if (first == last) return true;
  return url.starts_with(key.substr(first + 1, last - first - 1));
}

// `fallback`: the URL that a setting without one is for; empty: for all.
std::string config_line(std::string_view key, std::string_view value, const std::string& fallback) {
  const auto quoted = [](std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') result.push_back('\\');
      if (c != '\n') result.push_back(c);
    }
    return result + "\"";
  };
  const std::size_t first = key.find('.');
  const std::size_t last = key.rfind('.');
  const std::string url = first == last ? fallback : std::string(key.substr(first + 1, last - first - 1));
  return fmt::format("[{}{}]\n\t{} = {}\n", key.substr(0, first), url.empty() ? "" : " " + quoted(url),
                     key.substr(last + 1), quoted(value));
}

}  // namespace

std::string UrlParts::base() const { return scheme + "://" + host + (port.empty() ? "" : ":" + port); }

UrlParts url_parts(std::string_view url) {
  UrlParts parts;
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) {
    const std::size_t colon = url.find(':');
    if (colon == std::string_view::npos || colon == 0 || url.find('/') < colon) {
      parts.path = url;
      return parts;
    }
    parts.scheme = "ssh";
    parts.path = url.substr(colon + 1);
    url = url.substr(0, colon);
  } else {
    parts.scheme = url.substr(0, scheme);
    url.remove_prefix(scheme + 3);
    const std::size_t end = std::min(url.find_first_of("/?#"), url.size());
    parts.path = url.substr(end);
    url = url.substr(0, end);
  }
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
    parts.user = url.substr(0, std::min(at, url.find(':')));
    url.remove_prefix(at + 1);
  }
  const std::size_t colon = url.rfind(':');
  if (colon != std::string_view::npos && url.find(']', colon) == std::string_view::npos) {
    parts.port = url.substr(colon + 1);
    url = url.substr(0, colon);
  }
  parts.host = url;
  return parts;
}

std::optional<Login> ask_credential_helpers(const std::string& url, const os::CallLimit& limit) {
  const UrlParts parts = url_parts(url);
  if (!parts.scheme.starts_with("http")) return std::nullopt;
  const os::Fd question(::memfd_create("slipway-question", MFD_CLOEXEC));
  const std::string text = fmt::format(
      "protocol={}\nhost={}{}\npath={}\n{}\n", parts.scheme, parts.host, parts.port.empty() ? "" : ":" + parts.port,
      parts.path.empty() ? "" : parts.path.substr(1), parts.user.empty() ? "" : "username=" + parts.user + "\n");
  if (!question || !os::write_all(question.get(), text) || ::lseek(question.get(), 0, SEEK_SET) != 0)
    return std::nullopt;
  const auto answer = run_git({.directory = "/",
                               .arguments = {"credential", "fill"},
                               .config = GitCall::Config::user,
                               .environment = {},
                               .stdin_fd = question.get()},
                              limit);
  if (!answer) return std::nullopt;  // nobody to ask
  Login login;
  for (const std::string_view line : split(*answer, '\n')) {
    if (line.starts_with("username=")) login.user = line.substr(9);
    if (line.starts_with("password=")) login.password = line.substr(9);
  }
  if (login.password.empty()) return std::nullopt;
  return login;
}

UserGitSettings user_git_settings(const std::string& url, const os::CallLimit& limit) {
  UserGitSettings settings{url, {}, {}};
  constexpr const char* kKeys =
      R"(^(url\..*\.insteadof|http\.(.*\.)?(proxy|sslverify|sslcainfo|sslcapath|extraheader|useragent|version)|safe\.directory)$)";
  const auto text =
      run_git({.directory = "/", .arguments = {"config", "-z", "--get-regexp", kKeys}, .environment = {}}, limit);
  if (!text) return settings;  // none of them is set
  std::size_t longest = 0;
  for (const std::string& entry : split_nul(*text)) {
    const std::size_t end = entry.find('\n');
    if (end == std::string::npos) continue;
    const std::string key = entry.substr(0, end), value = entry.substr(end + 1);
    if (key.starts_with("url.") && value.size() > longest && url.starts_with(value)) {
      longest = value.size();
      settings.url = key.substr(4, key.size() - 4 - std::string_view(".insteadof").size()) + url.substr(value.size());
    }
  }
  for (const std::string& entry : split_nul(*text)) {
    const std::size_t end = entry.find('\n');
    if (end == std::string::npos || entry.starts_with("url.")) continue;
    const std::string key = entry.substr(0, end);
    const std::string value = entry.substr(end + 1);
    if (key.ends_with(".extraheader")) {
      settings.headers += config_line(key, value, url_parts(settings.url).base() + "/");
    } else if (key.starts_with("safe.") || holds_for(key, settings.url)) {
      settings.config += config_line(key, value, {});
    }
  }
  return settings;
}

SshSettings ssh_settings(std::string_view printed, const std::string& host, bool has_agent) {
  SshSettings settings;
  settings.config = "Host " + host + "\n  BatchMode yes\n  ControlMaster no\n  ControlPath none\n";
  bool has_key = false;
  std::string known_hosts;
  for (const std::string_view line : split(printed, '\n')) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, space), value = trim(line.substr(space + 1));
    if (key == "hostname" || key == "user" || key == "port" || key == "hostkeyalias" || key == "connecttimeout" ||
        key == "proxycommand" || key == "proxyjump") {
      if (value != "none") settings.config += fmt::format("  {} {}\n", key, value);
    } else if (key == "stricthostkeychecking") {  // nobody is there to be asked
      settings.config += fmt::format("  {} {}\n", key, value == "ask" ? "yes" : value);
    } else if (key == "identityfile" && !has_agent && !has_key) {
      const auto file = existing(expand_home(value));
      if (!file) continue;
      has_key = true;
      settings.files.push_back(file->string());
      settings.config += fmt::format("  IdentityFile {}\n  IdentitiesOnly yes\n  IdentityAgent none\n", file->string());
    } else if (key == "userknownhostsfile") {
      for (const std::string_view name : split(value, ' ')) {
        if (const auto file = existing(expand_home(name))) {
          settings.files.push_back(file->string());
          known_hosts += " " + file->string();
        }
      }
    }
  }
  settings.config += "  UserKnownHostsFile" + (known_hosts.empty() ? " /dev/null" : known_hosts) + "\n";
  return settings;
}

Result<SshAccess> ssh_access(const UrlParts& url, const os::CallLimit& limit) {
  if (const char* own = std::getenv("GIT_SSH_COMMAND"); own != nullptr && *own != '\0') return ssh_by_command(own);
  if (url.host.empty() || url.host.starts_with('-') || url.user.starts_with('-')) {
    return fail(ErrorKind::invalid, "`" + printable(url.host, Colour::strip) + "` is no host");
  }
  std::vector<std::string> argv = {"ssh", "-G"};
  if (!url.port.empty()) argv.insert(argv.end(), {"-p", url.port});
  argv.insert(argv.end(), {"--", (url.user.empty() ? "" : url.user + "@") + url.host});
  const auto printed = ask(argv, limit);
  if (!printed && printed.error().kind == ErrorKind::not_found) {
    return fail(ErrorKind::unavailable, "ssh is not installed here: install openssh-client");
  }
  if (!printed) return wrap(printed.error(), "ssh -G");
  const bool has_agent = agent_has_key(limit);
  SshSettings settings = ssh_settings(printed->out, url.host, has_agent);
  SshAccess ssh;
  ssh.command = "ssh -oBatchMode=yes";  // it finds .ssh/config by itself
  ssh.access.home.push_back({".ssh/config", std::move(settings.config)});
  for (std::string& file : settings.files) ssh.access.readable.emplace_back(std::move(file));
  if (has_agent) {
    const std::string socket = std::getenv("SSH_AUTH_SOCK");
    std::error_code error;
    const fs::path whole = fs::canonical(socket, error);
    ssh.access.readable.push_back(error ? fs::path(socket) : whole);
    ssh.access.environment.emplace_back("SSH_AUTH_SOCK", ssh.access.readable.back().string());
  }
  return ssh;
}

}  // namespace slipway::source
