#include "source/git_command.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "os/subprocess.h"

namespace slipway::source {

namespace {

constexpr std::size_t kMostOutput = 64U << 20U;
constexpr std::size_t kMostMessage = 500;

constexpr std::string_view kGuards[] = {
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.ext.allow=never",  "gc.auto=0",
    "maintenance.auto=false",   "core.pager=cat",       "advice.detachedHead=false", "log.showSignature=false"};

// Of the variables that git reads, those that say how to reach and to trust a remote. The rest (GIT_DIR,
// GIT_INDEX_FILE, ...) would point it to another repository than the one we mean.
constexpr std::string_view kKept[] = {
    "GIT_SSH=",       "GIT_SSH_COMMAND=", "GIT_CONFIG_GLOBAL=", "GIT_CONFIG_SYSTEM=", "GIT_CONFIG_NOSYSTEM=",
    "GIT_EXEC_PATH=", "GIT_SSL_",         "GIT_HTTP_"};

std::vector<std::string> environment_of(const GitCall& call) {
  std::vector<std::string> variables;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view variable = *at;
    const bool git = variable.starts_with("GIT_");
    const bool kept = std::ranges::any_of(kKept, [&](std::string_view name) { return variable.starts_with(name); });
    const bool replaced =
        variable.starts_with("LC_ALL=") || variable.starts_with("LANGUAGE=") || variable.starts_with("SSH_ASKPASS");
    if ((!git || kept) && !replaced) variables.emplace_back(variable);
  }
  // No question asked here needs a remote, but git fetches a missing object by itself, by a program that the repository
  // names (`remote.NAME.uploadpack` of a promisor): no transport is allowed, by a list that no configuration adds to.
  for (const char* variable : {"LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS_REQUIRE=never",
                               "GIT_OPTIONAL_LOCKS=0", "GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1"}) {
    variables.emplace_back(variable);
  }
  if (call.config == GitCall::Config::isolated) {
    std::erase_if(variables, [](const std::string& v) { return v.starts_with("GIT_CONFIG_"); });
    for (const char* variable : {"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_ATTR_NOSYSTEM=1"}) {
      variables.emplace_back(variable);
    }
  }
  for (const auto& [name, value] : call.environment) variables.push_back(name + "=" + value);
  return variables;
}

ErrorKind kind_of(std::string_view message) {
  const auto says = [&](std::initializer_list<std::string_view> texts) {
    return std::ranges::any_of(texts, [&](std::string_view t) { return message.find(t) != std::string_view::npos; });
  };
  if (says({"could not read Username", "could not read Password", "Authentication failed", "Permission denied",
            "dubious ownership", "access denied", "error: 403", "Error 403", "403 Forbidden", "authorization failed",
            "Authorization failed", "authorization required", "No more credentials", "E170001", "E215004",
            "error: 401"})) {
    return ErrorKind::denied;
  }
  if (says({"Could not resolve host", "Connection refused", "Connection timed out", "Failed to connect",
            "unable to access", "Could not connect", "early EOF", "the remote end hung up", "E170013", "E000111",
            "Name or service not known", "curl: (6)", "curl: (7)", "curl: (28)", "curl: (35)", "curl: (52)",
            "curl: (56)", "error: 50", "HTTP Error 50"})) {
    return ErrorKind::unavailable;
  }
  if (says({"not found", "does not exist", "does not appear to be a git repository", "not a git repository",
            "couldn't find remote ref", "unknown revision", "bad revision", "Not a valid", "not our ref",
            "No such file or directory", "unknown branch", "HTTP Error 404", "error: 404", "E160013", "E160006",
            "E170000", "E200009", "filtered out by lookup"}) ||
      says({"remote missing object", "Object does not exist"})) {  // git-lfs
    return ErrorKind::not_found;
  }
  return ErrorKind::internal;
}

// Git's complaints, without the progress before them.
std::string message_of(std::string_view error_output) {
  std::vector<std::string> lines, complaints;
  for (const std::string_view line : split(error_output, '\n')) {
    const std::string_view whole = trim(line);  // ssh ends its lines with \r\n, progress is between \r
    const std::string_view text = trim(whole.substr(whole.rfind('\r') + 1));
    if (text.empty() || text.starts_with("hint:") || text.starts_with("warning:")) continue;
    lines.push_back(printable(text, Colour::strip));
    if (std::ranges::find(complaints, lines.back()) != complaints.end()) continue;  // git tries submodules twice
    if (text.starts_with("fatal:") || text.starts_with("error:") || text.starts_with("ssh:") ||
        text.starts_with("abort:") || text.starts_with("svn: E") || text.starts_with("curl:") ||
        text.find("Smudge error:") != std::string_view::npos ||  // git-lfs: git itself says only that it failed
        text.find("ermission denied") != std::string_view::npos || text.starts_with("Host key")) {
      complaints.push_back(lines.back());
    }
  }
  std::string message = redact(join(complaints.empty() ? lines : complaints, "; "));
  if (message.size() > kMostMessage) message.resize(kMostMessage);
  return message;
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      decoded.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

// `git fetch`
std::string verb_of(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "-c" || arguments[i] == "-C") {
      ++i;  // its value
    } else if (!arguments[i].starts_with('-')) {
      return "git " + arguments[i];
    }
  }
  return "git";
}

}  // namespace

std::vector<std::string> git_guards() {
  std::vector<std::string> arguments;
  for (const std::string_view guard : kGuards) {
    arguments.emplace_back("-c");
    arguments.emplace_back(guard);
  }
  return arguments;
}

Error tool_error(const std::string& tool, int exit_code, std::string_view error_output) {
  std::string message = message_of(error_output);
  if (message.empty()) message = fmt::format("exit code {}", exit_code);
  const ErrorKind kind = kind_of(message);
  if (message.starts_with(tool + ": ")) return {kind, message};
  return {kind, tool + ": " + message};
}

Error git_error(const std::vector<std::string>& arguments, int exit_code, std::string_view error_output) {
  std::string message = message_of(error_output);
  if (message.empty()) message = fmt::format("exit code {}", exit_code);
  return {kind_of(message), verb_of(arguments) + ": " + message};
}

GitCall question_to(const std::filesystem::path& git_dir, const std::filesystem::path& work_tree,
                    std::vector<std::string> arguments) {
  return {.directory = work_tree,
          .arguments = std::move(arguments),
          .environment = {{"GIT_DIR", git_dir.string()}, {"GIT_WORK_TREE", work_tree.string()}}};
}

Result<std::string> run_git(const GitCall& call, const os::CallLimit& limit) {
  os::Subprocess::Options options;
  options.argv = git_guards();
  options.argv.insert(options.argv.begin(), "git");
  options.argv.insert(options.argv.end(), call.arguments.begin(), call.arguments.end());
  options.environment = environment_of(call);
  options.working_dir = call.directory.string();
  options.stdin_fd = call.stdin_fd;
  auto output = os::run_command(options, kMostOutput, limit);
  if (!output && output.error().kind == ErrorKind::not_found) {
    return fail(ErrorKind::unavailable, "cannot start git in " + call.directory.string() + ": is it installed?");
  }
  if (!output) return wrap(output.error(), verb_of(call.arguments));
  if (output->exit_code == 0) return std::move(output->out);
  return std::unexpected(git_error(call.arguments, output->exit_code, output->err));
}

Result<std::string> ask_git(const GitCall& call, const os::CallLimit& limit) {
  SW_TRY(const std::string text, run_git(call, limit));
  return std::string(trim(text));
}

RemoteUrl RemoteUrl::parse(std::string_view url) {
  RemoteUrl parsed{std::string(url), {}, {}};
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) {
    // A path, or `user@host:path`; `user:password@host:path` is no form of git's, but people write it.
    const std::size_t at = url.substr(0, url.find('/')).find('@');
    const std::size_t colon = url.substr(0, at).find(':');
    if (at != std::string_view::npos && colon != std::string_view::npos) {
      parsed.clean = std::string(url.substr(0, colon)).append(url.substr(at));
    }
    return parsed;
  }
  const std::size_t begin = scheme + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const std::size_t at = url.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < begin) return parsed;
  const std::string_view login = url.substr(begin, at - begin);
  const std::size_t colon = login.find(':');
  const std::string_view user = login.substr(0, colon);
  const bool web = url.starts_with("http");
  parsed.user = percent_decoded(user);
  if (colon != std::string_view::npos) parsed.password = percent_decoded(login.substr(colon + 1));
  parsed.clean = fmt::format("{}{}{}", url.substr(0, begin), web ? "" : std::string(user) + "@", url.substr(at + 1));
  return parsed;
}

std::string redact(std::string_view text) {
  std::string clean;
  for (;;) {
    const std::size_t scheme = text.find("://");
    if (scheme == std::string_view::npos) break;
    const std::size_t begin = scheme + 3;
    clean += text.substr(0, begin);
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of("/ \t\n'\""), text.size());
    const std::size_t at = text.substr(0, end).rfind('@');
    if (at != std::string_view::npos) text.remove_prefix(at + 1);
  }
  return clean.append(text);
}

Result<void> check_revision(std::string_view revision) {
  constexpr std::size_t kMost = 1024;
  const bool odd = std::ranges::any_of(revision, [](unsigned char c) { return c <= ' ' || c == 0x7F; });
  if (!odd && revision.size() <= kMost && !revision.starts_with('-') && revision.find("..") == std::string_view::npos) {
    return {};
  }
  return fail(ErrorKind::invalid, "`" + printable(revision, Colour::strip) + "` is no revision");
}

bool is_full_sha(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::vector<std::string> split_nul(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

}  // namespace slipway::source
