#include "source/git_mirror.h"

#include <sys/stat.h>

#include <sodium.h>

#include "base/text.h"
#include "os/file_lock.h"
#include "os/files.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeads = "refs/heads/";

// `https://...`, or `user@host:path`: a colon before the first slash. A path may hold one behind `./`.
bool is_url(const std::string& location) {
  if (location.find("://") != std::string::npos) return true;
  const std::size_t colon = location.find(':');
  return colon != std::string::npos && colon > 0 && location.find('/') > colon;
}

bool is_temporary(const Error& error) {
  return error.kind == ErrorKind::unavailable || error.kind == ErrorKind::denied || error.kind == ErrorKind::timeout ||
         error.kind == ErrorKind::cancelled;
}

}  // namespace

std::string hashed(std::string_view text) {
  unsigned char digest[16];
  crypto_generichash(digest, sizeof digest, reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr,
                     0);
  char hex[2 * sizeof digest + 1];
  sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
  return hex;
}

Result<GitMirror> GitMirror::of(const std::string& location, const fs::path& mirrors, const os::CallLimit& limit) {
  if (location.empty() || location.starts_with('-') || location.find('\0') != std::string::npos) {
    return fail(ErrorKind::invalid, "`" + printable(redact(location), Colour::strip) + "` is no repository");
  }
  GitMirror mirror;
  mirror.is_path_ = !is_url(location);
  if (mirror.is_path_) {
    std::error_code error;
    const fs::path path = fs::canonical(location, error);
    if (error) return fail(ErrorKind::not_found, "no directory " + location);
    mirror.url_.clean = path.string();
    auto git_dir =
        ask_git({.directory = path, .arguments = {"rev-parse", "--absolute-git-dir"}, .environment = {}}, limit);
    if (!git_dir) return std::unexpected(git_dir.error());
    mirror.git_dir_ = *git_dir;
    return mirror;
  }
  mirror.url_ = RemoteUrl::parse(location);
  const std::string name = hashed(mirror.url_.clean);
  SW_CHECK(os::make_directories(mirrors, 0700));
  mirror.git_dir_ = mirrors / (name + ".git");
  mirror.lock_ = mirrors / (name + ".lock");
  return mirror;
}

Result<std::string> GitMirror::git(std::vector<std::string> arguments, const os::CallLimit& limit) const {
  arguments.insert(arguments.begin(), "--git-dir=" + git_dir_.string());
  return ask_git({.directory = {}, .arguments = std::move(arguments), .environment = url_.credentials()}, limit);
}

bool GitMirror::has_commit(const std::string& sha, const os::CallLimit& limit) const {
  struct stat status{};
  return ::stat(git_dir_.c_str(), &status) == 0 && git({"cat-file", "-e", sha + "^{commit}"}, limit).has_value();
}

Result<void> GitMirror::fetch(const std::vector<std::string>& refspecs, const os::CallLimit& limit) const {
  std::vector<std::string> arguments = {"fetch", "--quiet", "--force", "--no-tags", "--update-head-ok"};
  if (refspecs.size() > 1) arguments.emplace_back("--prune");
  arguments.push_back(url_.clean);
  arguments.insert(arguments.end(), refspecs.begin(), refspecs.end());
  SW_CHECK(git(std::move(arguments), limit));
  return {};
}

// Brings branches and tags up to date. Whatever is wrong with a mirror, a new one is the cure; one try shows whether
// the fault is on the other side.
Result<void> GitMirror::update(const os::CallLimit& limit) const {
  const std::vector<std::string> refspecs = {"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"};
  struct stat status{};
  const bool fresh = ::stat(git_dir_.c_str(), &status) != 0;
  if (!fresh) {
    const auto fetched = fetch(refspecs, limit);
    if (fetched) return {};
    if (is_temporary(fetched.error())) return std::unexpected(fetched.error());
    SW_CHECK(os::remove_tree(git_dir_));
  }
  SW_CHECK(ask_git({.directory = {},
                    .arguments = {"init", "--quiet", "--bare", "--template=", git_dir_.string()},
                    .environment = {}},
                   limit));
  auto fetched = fetch(refspecs, limit);
  if (!fetched) (void)os::remove_tree(git_dir_);  // the error that counts is the fetch's
  return fetched;
}

Result<std::string> GitMirror::commit_of(const std::string& name, const os::CallLimit& limit) const {
  return git({"rev-parse", "--quiet", "--verify", name + "^{commit}"}, limit);
}

// The branch that HEAD of the remote is, `main`; empty: detached.
Result<std::string> GitMirror::remote_head(const os::CallLimit& limit) const {
  if (is_path_) {
    const auto head = git({"symbolic-ref", "--quiet", "HEAD"}, limit);
    return head && head->starts_with(kHeads) ? head->substr(kHeads.size()) : std::string();
  }
  SW_TRY(const std::string text, git({"ls-remote", "--symref", url_.clean, "HEAD"}, limit));
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with("ref: ")) continue;
    const std::string_view ref = line.substr(5, line.find('\t') - 5);
    if (ref.starts_with(kHeads)) return std::string(ref.substr(kHeads.size()));
  }
  return std::string();
}

// By branch, tag, then whatever else git takes for a commit.
Result<GitMirror::Found> GitMirror::look_up(const std::string& revision, const os::CallLimit& limit) const {
  const std::string short_name = revision.starts_with(kHeads) ? revision.substr(kHeads.size()) : revision;
  if (auto sha = commit_of(std::string(kHeads) + short_name, limit)) return Found{std::move(*sha), short_name};
  if (auto sha = commit_of("refs/tags/" + revision, limit)) return Found{std::move(*sha), {}};
  auto sha = commit_of(revision, limit);
  if (!sha) return std::unexpected(sha.error());
  return Found{std::move(*sha), {}};
}

std::string GitMirror::nearest_names(const std::string& revision, const os::CallLimit& limit) const {
  const auto text = git({"for-each-ref", "--format=%(refname:strip=2)", "refs/heads", "refs/tags"}, limit);
  if (!text || text->empty()) return "the repository is empty";
  std::vector<std::string> names;
  for (const std::string_view name : split(*text, '\n')) names.emplace_back(name);
  if (const auto near = nearest(revision, names)) return "did you mean `" + *near + "`?";
  constexpr std::size_t kShown = 10;
  const bool more = names.size() > kShown;
  if (more) names.resize(kShown);
  return "there are " + join(names, ", ") + (more ? ", ..." : "");
}

Result<GitMirror::Found> GitMirror::find(const std::string& revision, const os::CallLimit& limit) const {
  SW_CHECK(check_revision(revision));
  std::optional<os::FileLock> lock;
  if (!is_path_) {
    SW_TRY(auto held, os::FileLock::acquire(lock_, os::LockMode::exclusive, limit));
    lock = std::move(held);
    if (is_full_sha(revision) && has_commit(revision, limit)) return Found{revision, {}};
    SW_CHECK(update(limit));
  }
  std::string wanted = revision;
  if (wanted.empty()) {
    SW_TRY(wanted, remote_head(limit));
    if (wanted.empty()) wanted = "HEAD";
  }
  auto found = look_up(wanted, limit);
  if (found) return found;
  // Neither branch nor tag: a commit of a pull request, say, which a forge gives when it is asked for by name.
  const bool nameable = is_full_sha(wanted) || wanted.starts_with("refs/");
  const std::string kept = "refs/slipway/" + hashed(wanted);
  if (!is_path_ && nameable && fetch({"+" + wanted + ":" + kept}, limit)) {
    SW_TRY(std::string sha, commit_of(kept, limit));
    return Found{std::move(sha), {}};
  }
  if (is_temporary(found.error())) return found;
  return fail(ErrorKind::not_found, "no branch, tag or commit `" + printable(wanted, Colour::strip) + "` in " +
                                        url_.clean + ": " + nearest_names(wanted, limit));
}

}  // namespace slipway::source
