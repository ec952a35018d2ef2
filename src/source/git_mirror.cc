#include "source/git_mirror.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/hashed_name.h"
#include "base/text.h"
#include "os/files.h"
#include "source/git_files.h"
#include "source/git_objects.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::size_t kMostPacks = 40;  // one a fetch that brought something
constexpr std::size_t kMostPackList = 1U << 20U;
const std::vector<std::string> kBranchesAndTags = {"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"};

// `https://...`, or `user@host:path`: a colon before the first slash. A path may hold one behind `./`.
bool is_url(const std::string& location) {
  if (location.find("://") != std::string::npos) return true;
  const std::size_t colon = location.find(':');
  return colon != std::string::npos && colon > 0 && location.find('/') > colon;
}

// Faults that a new mirror does not cure.
bool is_of_the_remote(const Error& error) {
  return error.kind == ErrorKind::denied || error.kind == ErrorKind::timeout || error.kind == ErrorKind::cancelled ||
         error.kind == ErrorKind::exhausted || error.what.find("Could not resolve") != std::string::npos ||
         error.what.find("Connection refused") != std::string::npos;
}

bool is_there(const fs::path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

// Of git processes that were killed: we hold the mirror's lock, so nobody else is in there.
void remove_stale_locks(const fs::path& git_dir) {
  std::vector<fs::path> stale;
  std::error_code error;
  for (fs::recursive_directory_iterator at(git_dir, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name == "objects" && at.depth() == 0) at.disable_recursion_pending();
    if (name.ends_with(".lock")) stale.push_back(at->path());
  }
  for (fs::directory_iterator at(git_dir / "objects/pack", error), end; !error && at != end; at.increment(error)) {
    if (at->path().filename().string().starts_with("tmp_")) stale.push_back(at->path());
  }
  for (const fs::path& path : stale) ::unlink(path.c_str());
}

// What a forge keeps outside of branches, as people and webhooks write it: `pull/5/head`, `merge-requests/5/merge`.
std::string full_ref(const std::string& revision) {
  for (const std::string_view prefix : {"pull/", "pulls/", "merge-requests/", "changes/"}) {
    if (revision.starts_with(prefix)) return "refs/" + revision;
  }
  return revision;
}

// Of a path: its own repository, bare or with a checkout. Whatever else a repository of a stranger's may point to (by a
// `.git` file, by `alternates`) is not for the jobs that ask for this one.
Result<GitPlace> own_repository(const fs::path& path) {
  std::error_code error;
  GitPlace place{path, path, path};
  const bool is_bare = is_there(path / "HEAD") && !is_there(path / ".git") &&
                       fs::is_directory(fs::symlink_status(path / "objects", error));
  if (!is_bare) {
    auto found = find_git(path);
    if (!found) return fail(ErrorKind::not_found, "no repository in " + path.string());
    if (!owns_repository(*found)) {
      return fail(ErrorKind::denied,
                  (found->root / ".git").string() +
                      " names a repository that does not name it back: " + "name that repository itself");
    }
    place = std::move(*found);
  }
  place.git_dir = fs::canonical(place.git_dir, error);
  if (!error) place.common_dir = fs::canonical(place.common_dir, error);
  if (error) return fail(ErrorKind::not_found, "no repository in " + path.string());
  struct stat alternates{};
  if (::lstat((place.common_dir / "objects/info/alternates").c_str(), &alternates) == 0 && alternates.st_size > 0) {
    return fail(ErrorKind::denied, place.common_dir.string() +
                                       " borrows objects of another repository: make it whole " +
                                       "by `git repack -a -d`, and remove objects/info/alternates");
  }
  return place;
}

}  // namespace

Result<GitMirror> GitMirror::of(const std::string& location, const fs::path& mirrors, Runner& runner) {
  if (location.empty() || location.starts_with('-') || location.find('\0') != std::string::npos) {
    return fail(ErrorKind::invalid, "`" + printable(redact(location), Colour::strip) + "` is no repository");
  }
  GitMirror mirror(runner);
  if (!is_url(location)) {
    std::error_code error;
    const fs::path path = fs::canonical(location, error);
    if (error) return fail(ErrorKind::not_found, "no directory " + location);
    mirror.url_ = path.string();
    SW_TRY(const GitPlace place, own_repository(path));
    mirror.git_dir_ = place.common_dir;
    mirror.worktree_dir_ = place.git_dir;
    return mirror;
  }
  SW_TRY(GitRemote remote, GitRemote::of(location));
  mirror.url_ = remote.url();
  mirror.remote_ = std::move(remote);
  const std::string name = hashed_name({mirror.url_});
  SW_CHECK(os::make_directories(mirrors, 0700));
  std::error_code error;
  const fs::path whole = fs::canonical(mirrors, error);
  if (error) return fail(ErrorKind::internal, "looking at " + mirrors.string() + ": " + error.message());
  mirror.git_dir_ = whole / (name + ".git");
  mirror.lock_ = whole / (name + ".lock");
  mirror.packs_ = whole / (name + ".packs");
  return mirror;
}

std::vector<fs::path> GitMirror::readable() const {
  std::vector<fs::path> paths = {git_dir_};
  if (!worktree_dir_.empty()) paths.push_back(worktree_dir_);
  return paths;
}

Result<std::string> GitMirror::git(std::vector<std::string> arguments, const os::CallLimit& limit,
                                   std::string input) const {
  const fs::path& git_dir = worktree_dir_.empty() ? git_dir_ : worktree_dir_;
  arguments.insert(arguments.begin(), "--git-dir=" + git_dir.string());
  GitToolCall call{.arguments = std::move(arguments), .directory = git_dir, .input = std::move(input)};
  call.readable = readable();
  if (!remote_) call.access.home.push_back({".gitconfig", user_git_settings(url_, limit).config});
  return run_git_tool(*runner_, call, limit);
}

// The commit of the first of these names that is one.
Result<std::string> GitMirror::first_of(const std::vector<std::string>& names, std::size_t& which,
                                        const os::CallLimit& limit) const {
  std::string questions;
  for (const std::string& name : names) questions += name + "^{commit}\n";
  SW_TRY(const std::string answers,
         git({"cat-file", "--batch-check=%(objectname) %(objecttype)"}, limit, std::move(questions)));
  which = 0;
  for (const std::string_view line : split(answers, '\n')) {
    if (line.ends_with(" commit")) return std::string(line.substr(0, line.find(' ')));
    ++which;
  }
  return fail(ErrorKind::not_found, "no such commit");
}

bool GitMirror::is_sound() const {
  const auto known = os::read_file(packs_, kMostPackList);
  return known && is_there(git_dir_ / "HEAD") && *known == describe_packs(git_dir_ / "objects");
}

Result<void> GitMirror::remember() const {
  return os::replace_file(packs_, describe_packs(git_dir_ / "objects"), 0600);
}

Result<void> GitMirror::fetch_into(const fs::path& git_dir, const std::vector<std::string>& refspecs,
                                   const os::CallLimit& limit) const {
  std::vector<std::string> arguments = {"--git-dir=" + git_dir.string(),
                                        "-c",
                                        "fetch.unpackLimit=1",
                                        "-c",
                                        "transfer.unpackLimit=1",
                                        "fetch",
                                        "--quiet",
                                        "--progress",
                                        "--force",
                                        "--no-tags",
                                        "--update-head-ok",
                                        "--no-write-fetch-head",
                                        "--no-auto-maintenance"};
  if (refspecs.size() > 1) arguments.emplace_back("--prune");
  arguments.emplace_back(GitRemote::kUrl);
  arguments.insert(arguments.end(), refspecs.begin(), refspecs.end());
  GitToolCall call{.arguments = std::move(arguments), .directory = git_dir};
  call.writable = {git_dir};
  SW_CHECK(remote_->run(*runner_, std::move(call), limit));
  return {};
}

// Made beside the old one, which stays until the new one is whole.
Result<void> GitMirror::rebuild(const os::CallLimit& limit) const {
  const fs::path fresh = git_dir_.string() + ".new";
  Result<void> fetched;
  for (const char* format : {"sha1", "sha256"}) {
    SW_CHECK(os::remove_tree(fresh));
    SW_CHECK(os::make_directories(fresh, 0700));
    GitToolCall init{.arguments = {"init", "--quiet", "--bare", "--template=", std::string("--object-format=") + format,
                                   fresh.string()},
                     .directory = fresh};
    init.writable = {fresh};
    SW_CHECK(run_git_tool(*runner_, init, limit));
    fetched = fetch_into(fresh, kBranchesAndTags, limit);
    if (fetched || fetched.error().what.find("mismatched algorithms") == std::string::npos) break;
  }
  if (!fetched) {
    (void)os::remove_tree(fresh);  // the error that counts is the fetch's
    return fetched;
  }
  SW_CHECK(os::remove_tree(git_dir_));
  if (::rename(fresh.c_str(), git_dir_.c_str()) != 0) return fail_errno(errno, "keeping the mirror");
  return remember();
}

// Many small packs make every look-up slow. Nothing is thrown away: a commit of a queued run may hang on no branch.
Result<void> GitMirror::tidy(const os::CallLimit& limit) const {
  const auto names = os::list_directory(git_dir_ / "objects/pack");
  if (!names) return {};
  const auto packs = std::ranges::count_if(*names, [](const std::string& name) { return name.ends_with(".pack"); });
  if (static_cast<std::size_t>(packs) <= kMostPacks) return {};
  GitToolCall call{.arguments = {"--git-dir=" + git_dir_.string(), "repack", "--quiet", "-a", "-d", "-k"},
                   .directory = git_dir_};
  call.writable = {git_dir_};
  SW_CHECK(run_git_tool(*runner_, call, limit));
  return {};
}

// Brings branches and tags up to date.
Result<void> GitMirror::update(const os::CallLimit& limit) const {
  if (!is_sound()) return rebuild(limit);
  remove_stale_locks(git_dir_);
  const auto fetched = fetch_into(git_dir_, kBranchesAndTags, limit);
  if (!fetched) return is_of_the_remote(fetched.error()) ? fetched : rebuild(limit);
  SW_CHECK(tidy(limit));
  return remember();
}

Result<void> GitMirror::make_anew(const os::CallLimit& limit) const {
  if (!remote_) return {};
  SW_TRY(const auto lock, os::FileLock::acquire(lock_, os::LockMode::exclusive, limit));
  return rebuild(limit);
}

Result<std::optional<os::FileLock>> GitMirror::hold(const os::CallLimit& limit) const {
  if (!remote_) return std::nullopt;
  return os::FileLock::acquire(lock_, os::LockMode::shared, limit);
}

Result<std::string> GitMirror::refs(const os::CallLimit& limit) const {
  return git({"for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"}, limit);
}

// The branch that HEAD of the remote is, `main`; empty: detached.
Result<std::string> GitMirror::remote_head(const os::CallLimit& limit) const {
  if (!remote_) {
    const auto head = git({"symbolic-ref", "--quiet", "HEAD"}, limit);
    const std::string_view name = head ? trim(*head) : std::string_view();
    return std::string(name.starts_with(kHeads) ? name.substr(kHeads.size()) : std::string_view());
  }
  GitToolCall call{.arguments = {"ls-remote", "--symref", GitRemote::kUrl, "HEAD"}, .directory = "/"};
  SW_TRY(const std::string text, remote_->run(*runner_, std::move(call), limit));
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
  std::size_t which = 0;
  SW_TRY(std::string sha,
         first_of({std::string(kHeads) + short_name, "refs/tags/" + revision, revision}, which, limit));
  // `main~1` is found below refs/heads too, and is no branch.
  const bool is_name = short_name.find_first_of("~^:") == std::string::npos && !short_name.contains("@{");
  return Found{std::move(sha), which == 0 && is_name ? short_name : std::string()};
}

std::string GitMirror::nearest_names(const std::string& revision, const os::CallLimit& limit) const {
  const auto text = git({"for-each-ref", "--format=%(refname:strip=2)", "refs/heads", "refs/tags"}, limit);
  if (!text || text->empty()) return "the repository is empty";
  std::vector<std::string> names;
  for (const std::string_view name : split(trim(*text), '\n')) names.emplace_back(name);
  if (const auto near = nearest(revision, names)) return "did you mean `" + *near + "`?";
  constexpr std::size_t kShown = 10;
  const bool more = names.size() > kShown;
  if (more) names.resize(kShown);
  return "there are " + join(names, ", ") + (more ? ", ..." : "");
}

Result<GitMirror::Found> GitMirror::find(const std::string& revision, const os::CallLimit& limit) const {
  SW_CHECK(check_revision(revision));
  if (!remote_) return find_locked(revision, limit);
  SW_TRY(const auto lock, os::FileLock::acquire(lock_, os::LockMode::exclusive, limit));
  if (is_full_sha(revision) && is_sound()) {
    std::size_t which = 0;
    if (first_of({revision}, which, limit)) return Found{revision, {}};
  }
  SW_CHECK(update(limit));
  auto found = find_locked(revision, limit);
  if (found || found.error().kind != ErrorKind::internal) return found;
  SW_CHECK(rebuild(limit));  // what is there cannot be read
  return find_locked(revision, limit);
}

Result<GitMirror::Found> GitMirror::find_locked(const std::string& revision, const os::CallLimit& limit) const {
  std::string wanted = revision;
  if (wanted.empty() || (remote_ && wanted == "HEAD")) {  // the mirror's own HEAD says nothing of the remote's
    SW_TRY(wanted, remote_head(limit));
    if (wanted.empty()) wanted = "HEAD";
  }
  auto found = look_up(wanted, limit);
  if (found || found.error().kind != ErrorKind::not_found) return found;
  // Neither branch nor tag: a pull request, or a commit of one, which a forge gives when it is asked for by name.
  const std::string full = full_ref(wanted);
  if (!remote_ && full != wanted) {
    if (auto local = look_up(full, limit)) return local;
  }
  const std::string kept = "refs/slipway/" + hashed_name({full});
  if (remote_ && (is_full_sha(full) || full.starts_with("refs/"))) {
    const auto fetched = fetch_into(git_dir_, {"+" + full + ":" + kept}, limit);
    if (fetched) {
      SW_CHECK(remember());
      return look_up(kept, limit);
    }
    if (is_of_the_remote(fetched.error())) return std::unexpected(fetched.error());
  }
  return fail(ErrorKind::not_found, "no branch, tag or commit `" + printable(wanted, Colour::strip) + "` in " + url_ +
                                        ": " + nearest_names(wanted, limit));
}

}  // namespace slipway::source
