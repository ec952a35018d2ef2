#include "source/git_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "os/files.h"
#include "source/git_command.h"
#include "source/working_tree.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFile = 64 * 1024;
constexpr std::size_t kMostPacked = 256U << 20U;

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lowered;
}

// The value behind `=`: quotes, escapes and comments.
std::string value_of(std::string_view text) {
  std::string value;
  std::size_t solid = 0;  // length without blanks that may be trailing
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      quoted = !quoted;
      continue;
    }
    if (!quoted && (c == '#' || c == ';')) break;
    if (c == '\\' && i + 1 < text.size()) {
      c = text[++i];
      if (c == 'n') c = '\n';
      if (c == 't') c = '\t';
      value.push_back(c);
      solid = value.size();
      continue;
    }
    value.push_back(c);
    if (quoted || (c != ' ' && c != '\t')) solid = value.size();
  }
  value.resize(solid);
  return value;
}

// `[section]` or `[section "sub"]` → the beginning of its keys.
std::string section_of(std::string_view line) {
  const std::size_t end = line.rfind(']');
  if (end == std::string_view::npos) return {};
  const std::string_view inside = line.substr(1, end - 1);
  const std::size_t quote = inside.find('"');
  if (quote == std::string_view::npos) return lower(trim(inside)) + ".";
  std::string_view sub = inside.substr(quote + 1);
  if (sub.ends_with('"')) sub.remove_suffix(1);
  std::string unescaped;
  for (std::size_t i = 0; i < sub.size(); ++i) {
    if (sub[i] == '\\' && i + 1 < sub.size()) ++i;
    unescaped.push_back(sub[i]);
  }
  return lower(trim(inside.substr(0, quote))) + "." + unescaped + ".";
}

// `path` as seen from `base`, without `..` and without a slash at its end.
fs::path resolved(const fs::path& base, std::string_view path) {
  const fs::path normal = (base / std::string(trim(path))).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

bool is_plain_ref(std::string_view name) {
  return !name.empty() && name.front() != '/' && name.find("..") == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

}  // namespace

namespace {

// Every setting in order: `visit(section with its dot, key, value)`.
template <class Visit>
void for_each_setting(std::string_view text, const Visit& visit) {
  std::string section;
  std::string joined;
  for (const std::string_view raw : split(text, '\n')) {
    joined += raw;
    if (joined.ends_with('\\')) {
      joined.pop_back();
      continue;
    }
    const std::string whole = std::exchange(joined, {});
    const std::string_view line = trim(whole);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      section = section_of(line);
      continue;
    }
    const std::size_t equals = line.find('=');
    visit(section, lower(trim(line.substr(0, equals))),
          equals == std::string_view::npos ? std::string("true") : value_of(trim(line.substr(equals + 1))));
  }
}

// What a clone needs to know, and nothing that a program or a credential may hide in (helpers, headers, commands).
struct Harmless {
  std::string_view section;
  std::vector<std::string_view> keys;
};
const std::vector<Harmless>& harmless_settings() {
  static const std::vector<Harmless> kAll = {
      {"core",
       {"repositoryformatversion", "filemode", "bare", "logallrefupdates", "ignorecase", "precomposeunicode",
        "symlinks", "autocrlf", "eol", "safecrlf", "sparsecheckout", "sparsecheckoutcone", "checkstat", "trustctime"}},
      {"extensions", {"objectformat", "compatobjectformat", "refstorage", "partialclone", "noop", "preciousobjects"}},
      {"user", {"name", "email"}},
      {"remote", {"url", "pushurl", "fetch", "tagopt", "promisor", "partialclonefilter"}},
      {"branch", {"remote", "merge", "rebase"}},
      {"submodule", {"url", "active", "path", "branch"}},
      {"init", {"defaultbranch"}},
  };
  return kAll;
}

bool is_harmless(std::string_view section, std::string_view key) {
  const std::string_view first = section.substr(0, section.find('.'));
  for (const Harmless& one : harmless_settings()) {
    if (one.section == first) return std::find(one.keys.begin(), one.keys.end(), key) != one.keys.end();
  }
  return false;
}

// `text` where it is a URL that holds a login or a query: without them.
std::string shown_value(const std::string& text) {
  std::string clean = without_credentials(text);
  if (clean.find("://") != std::string::npos) clean.resize(std::min(clean.find_first_of("?#"), clean.size()));
  return clean;
}

std::string as_config_value(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result.push_back('\\');
    if (c == '\n') {
      result += "\\n";
    } else {
      result.push_back(c);
    }
  }
  return result + "\"";
}

}  // namespace

std::map<std::string, std::string> parse_git_config(std::string_view text) {
  std::map<std::string, std::string> values;
  for_each_setting(text, [&](const std::string& section, const std::string& key, std::string value) {
    values[section + key] = std::move(value);
  });
  return values;
}

std::string config_for_jobs(std::string_view text) {
  std::string result, last;
  for_each_setting(text, [&](const std::string& section, const std::string& key, const std::string& value) {
    if (section.empty() || !is_harmless(section, key)) return;
    const std::size_t dot = section.find('.');
    // A URL may be anywhere: `git push -u URL` makes it the remote of a branch, and a remote may be named so.
    const std::string sub =
        shown_value(section.substr(dot + 1, section.size() - dot - 1 - (section.size() > dot + 1 ? 1 : 0)));
    if (section != std::exchange(last, section)) {
      result += "[" + section.substr(0, dot) + (sub.empty() ? "" : " " + as_config_value(sub)) + "]\n";
    }
    result += "\t" + key + " = " + as_config_value(shown_value(value)) + "\n";
  });
  return result;
}

namespace {

// A submodule's repository says where its checkout is.
bool names_as_worktree(const GitPlace& place) {
  if (place.git_dir != place.common_dir) return false;
  const auto text = os::read_file(place.git_dir / "config", kMostFile);
  if (!text) return false;
  const auto settings = parse_git_config(*text);
  const auto named = settings.find("core.worktree");
  std::error_code error;
  return named != settings.end() && fs::equivalent(place.git_dir / named->second, place.root, error);
}

}  // namespace

const std::string& GitRefs::packed() {
  if (!packed_) {
    auto text = os::read_file(common_dir_ / "packed-refs", kMostPacked);
    packed_ = text ? "\n" + *text : std::string();
  }
  return *packed_;
}

std::optional<GitRefs::Value> GitRefs::read(const std::string& name) {
  if (!is_plain_ref(name)) return std::nullopt;
  const fs::path& base = name.starts_with("refs/") ? common_dir_ : git_dir_;
  if (const auto text = os::read_file(base / name, kMostFile)) {
    const std::string_view line = trim(*text);
    if (line.starts_with("ref:")) return Value{{}, std::string(trim(line.substr(4)))};
    if (is_full_sha(line)) return Value{std::string(line), {}};
  }
  const std::string& all = packed();
  const std::string wanted = " " + name + "\n";
  const std::size_t at = all.find(wanted);
  if (at == std::string::npos) return std::nullopt;
  const std::size_t line = all.rfind('\n', at);
  std::string sha = all.substr(line + 1, at - line - 1);
  if (!is_full_sha(sha)) return std::nullopt;
  return Value{std::move(sha), {}};
}

std::optional<std::string> GitRefs::resolve(const std::string& name) {
  constexpr int kMostHops = 5;  // as git
  std::string at = name;
  for (int hop = 0; hop < kMostHops; ++hop) {
    auto value = read(at);
    if (!value) return std::nullopt;
    if (value->symbolic.empty()) return std::move(value->sha);
    at = std::move(value->symbolic);
  }
  return std::nullopt;
}

std::vector<GitRefs::Tag> GitRefs::tags() {
  constexpr std::string_view kPrefix = "refs/tags/";
  std::map<std::string, Tag> tags;
  const bool peeled = packed().find("# pack-refs with:") == 1 && packed().find(" peeled") != std::string::npos;
  std::string last;
  for (const std::string_view line : split(packed(), '\n')) {
    if (line.starts_with('^') && !last.empty()) {
      tags[last].sha = std::string(trim(line.substr(1)));
      continue;
    }
    last.clear();
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || !line.substr(space + 1).starts_with(kPrefix)) continue;
    last = line.substr(space + 1 + kPrefix.size());
    tags[last] = {last, std::string(line.substr(0, space)), peeled};
  }
  std::error_code error;
  const fs::path loose = common_dir_ / "refs/tags";
  for (fs::recursive_directory_iterator at(loose, error), end; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    const std::string name = at->path().lexically_relative(loose).string();
    if (const auto value = read(std::string(kPrefix) + name)) tags[name] = {name, value->sha, false};
  }
  std::vector<Tag> list;
  for (auto& [name, tag] : tags) list.push_back(std::move(tag));
  return list;
}

bool owns_repository(const GitPlace& place) {
  const fs::path link = place.root / ".git";
  std::error_code error;
  if (place.common_dir != link) {
    const auto back = os::read_file(place.git_dir / "gitdir", kMostFile);
    const bool is_worktree = place.git_dir.parent_path() == place.common_dir / "worktrees" && back &&
                             fs::equivalent(std::string(trim(*back)), link, error);
    if (!is_worktree && !names_as_worktree(place)) return false;
  }
  struct stat own{}, repository{};
  if (::lstat(place.root.c_str(), &own) != 0 || ::lstat(place.common_dir.c_str(), &repository) != 0) return false;
  if (!S_ISDIR(repository.st_mode) || own.st_uid != repository.st_uid) return false;
  for (const char* part : {"objects", "refs"}) {
    if (!fs::is_directory(fs::symlink_status(place.common_dir / part, error))) return false;
  }
  // A pipe in place of one of these would keep git waiting, and us with it.
  for (const char* part : {"config", "packed-refs", "commondir", "index", "shallow"}) {
    for (const fs::path& directory : {place.git_dir, place.common_dir}) {
      const fs::file_status file = fs::status(directory / part, error);
      if (fs::exists(file) && !fs::is_regular_file(file)) return false;
    }
  }
  return fs::is_regular_file(fs::symlink_status(place.common_dir / "HEAD", error));
}

std::optional<GitPlace> find_git(const fs::path& start) {
  for (fs::path at = start;; at = at.parent_path()) {
    const fs::path dot_git = at / ".git";
    struct stat status{};
    if (::stat(dot_git.c_str(), &status) == 0) {
      GitPlace place{at, dot_git, {}};
      if (S_ISREG(status.st_mode)) {  // a linked worktree or a submodule: `gitdir: PATH`
        const auto text = os::read_file(dot_git, kMostFile);
        if (!text || !text->starts_with("gitdir:")) return std::nullopt;
        place.git_dir = resolved(at, std::string_view(*text).substr(7));
      }
      place.common_dir = place.git_dir;
      if (const auto common = os::read_file(place.git_dir / "commondir", kMostFile)) {
        place.common_dir = resolved(place.git_dir, *common);
      }
      if (::stat((place.git_dir / "HEAD").c_str(), &status) == 0) return place;
    }
    if (at == at.root_path() || at.empty()) return std::nullopt;
  }
}

}  // namespace slipway::source
