#include "source/local_directory.h"

#include "source/git_command.h"
#include "source/remote_access.h"

namespace slipway::source {

namespace fs = std::filesystem;

namespace {

// Every `KIND+` before a URL; before a path GitSource takes one as well.
std::string without_kind(std::string location) {
  const std::size_t scheme_end = location.find("://");
  if (scheme_end != std::string::npos) {
    const std::size_t plus = location.rfind('+', scheme_end);
    return plus == std::string::npos ? location : location.substr(plus + 1);
  }
  constexpr std::string_view kGit = "git+";
  return location.starts_with(kGit) ? location.substr(kGit.size()) : location;
}

// Empty: of another machine.
std::string path_of(const SourceSpec& spec) {
  if (spec.kind == "directory" || spec.location.starts_with('/')) return spec.location;
  const std::string plain = without_kind(spec.location);
  const UrlParts parts = url_parts(plain);
  if (parts.scheme.empty()) return plain;
  const bool is_local = parts.scheme == "file" || parts.host.empty();
  if (!is_local) return {};
  std::error_code unreadable;  // whatever it is shows again when the path is looked at
  // As git does.
  const bool is_short = !fs::exists(parts.path, unreadable) && fs::exists(parts.path + ".git", unreadable);
  return is_short ? parts.path + ".git" : parts.path.empty() ? "/" : parts.path;
}

}  // namespace

Result<std::optional<fs::path>> local_directory(const SourceSpec& spec) {
  if (spec.location.empty() || spec.location.find('\0') != std::string::npos)
    return fail(ErrorKind::invalid, "the location names no directory");
  const std::string path = path_of(spec);
  if (path.empty()) return std::nullopt;
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);
  fs::path found = error ? fs::path() : fs::weakly_canonical(whole, error);
  if (error) return fail(ErrorKind::denied, "looking at " + path + ": " + error.message());
  return found;
}

}  // namespace slipway::source
