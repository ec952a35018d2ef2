#include "source/git_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "os/files.h"
#include "source/git_mirror.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;
using Config = GitCall::Config;

/// Makes one checkout in `directory_`, which does not exist yet.
class Checkout {
 public:
  Checkout(const GitMirror& from, fs::path directory, const SourceSpec& spec, const os::CallLimit& limit)
      : from_(from), directory_(std::move(directory)), spec_(spec), limit_(limit) {}

  Result<void> make() {
    SW_CHECK(spec_.checkout.depth ? take_part_of_history() : take_history());
    SW_CHECK(git({"config", "remote.origin.url", from_.url()}, Config::user));
    std::vector<std::string> arguments = {"checkout", "--quiet", "--force"};
    if (spec_.branch.empty()) {
      arguments.emplace_back("--detach");
    } else {
      arguments.insert(arguments.end(), {"-B", spec_.branch});
    }
    arguments.push_back(spec_.revision);
    SW_CHECK(git(std::move(arguments), Config::isolated));
    if (spec_.checkout.submodules) SW_CHECK(take_submodules());
    if (spec_.checkout.lfs) SW_CHECK(take_large_files());
    return {};
  }

 private:
  Result<void> git(std::vector<std::string> arguments, Config config, const fs::path& directory) {
    auto environment = from_.remote().credentials();
    environment.emplace_back("GIT_LFS_SKIP_SMUDGE", "1");
    auto output = run_git({directory, std::move(arguments), config, std::move(environment)}, limit_);
    if (!output) return std::unexpected(output.error());
    return {};
  }
  Result<void> git(std::vector<std::string> arguments, Config config) {
    return git(std::move(arguments), config, directory_);
  }

  Result<void> take_history() {  // objects are hard links where the file system is the same
    return git(
        {"clone", "--quiet", "--local", "--no-checkout", "--template=", from_.git_dir().string(), directory_.string()},
        Config::user, directory_.parent_path());
  }

  Result<void> take_part_of_history() {
    SW_CHECK(git({"init", "--quiet", "--template=", directory_.string()}, Config::user, directory_.parent_path()));
    return git({"fetch", "--quiet", "--no-tags", fmt::format("--depth={}", *spec_.checkout.depth),
                "--upload-pack=git -c uploadpack.allowAnySHA1InWant=true upload-pack",
                "file://" + from_.git_dir().string(), spec_.revision},
               Config::user);
  }

  Result<void> take_submodules() {
    std::vector<std::string> arguments;
    // git allows this to nobody by default; a repository of this machine may have its submodules here too.
    if (from_.is_local()) arguments.insert(arguments.end(), {"-c", "protocol.file.allow=always"});
    arguments.insert(arguments.end(), {"submodule", "--quiet", "update", "--init", "--recursive"});
    return git(std::move(arguments), Config::user);
  }

  Result<void> take_large_files() {
    auto pulled = git({"lfs", "pull"}, Config::user);
    if (!pulled && pulled.error().what.find("is not a git command") != std::string::npos) {
      return fail(ErrorKind::unavailable, "`checkout: {lfs: true}` needs git-lfs, which is not installed here");
    }
    return pulled;
  }

  const GitMirror& from_;
  fs::path directory_;
  const SourceSpec& spec_;
  const os::CallLimit& limit_;
};

std::string key_of(const GitMirror& mirror, const SourceSpec& spec) {
  const model::Checkout& checkout = spec.checkout;
  return spec.revision + "-" +
         hashed(fmt::format("{}\n{}\n{} {} {}", mirror.url(), spec.branch, checkout.depth.value_or(0),
                            checkout.submodules, checkout.lfs));
}

bool is_there(const fs::path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

Result<SourceSpec> GitSource::pin(const SourceSpec& spec, const os::CallLimit& limit) {
  SW_TRY(const GitMirror mirror, GitMirror::of(spec.location, directory_ / "mirrors", limit));
  SW_TRY(GitMirror::Found found, mirror.find(spec.revision, limit));
  SourceSpec pinned = spec;
  pinned.revision = std::move(found.sha);
  if (!found.branch.empty()) pinned.branch = std::move(found.branch);
  return pinned;
}

Result<Prepared> GitSource::prepare(const SourceSpec& given, const os::CallLimit& limit) {
  SW_TRY(const GitMirror mirror, GitMirror::of(given.location, directory_ / "mirrors", limit));
  SourceSpec spec = given;
  if (!is_full_sha(spec.revision)) {
    SW_TRY(spec, pin(given, limit));
  }
  const fs::path checkouts = directory_ / "checkouts";
  SW_CHECK(os::make_directories(checkouts, 0700));
  const std::string key = key_of(mirror, spec);
  const fs::path directory = checkouts / key;
  const fs::path lock_path = checkouts / (key + ".lock");
  for (;;) {
    SW_TRY(os::FileLock in_use, os::FileLock::acquire(lock_path, os::LockMode::shared, limit));
    if (is_there(directory)) {
      (void)::futimens(in_use.fd(), nullptr);  // the time of last use, for sweep
      return Prepared{directory,        static_cast<std::uint32_t>(::geteuid()),
                      spec.revision,    spec.branch,
                      mirror.url(),     directory / ".git",
                      std::move(in_use)};
    }
    {
      const os::FileLock released = std::move(in_use);
    }
    SW_TRY(const auto alone, os::FileLock::acquire(lock_path, os::LockMode::exclusive, limit));
    if (is_there(directory)) continue;
    const fs::path building = checkouts / (".building-" + key);
    SW_CHECK(os::remove_tree(building));          // of somebody who died in it
    SW_CHECK(mirror.find(spec.revision, limit));  // fetches where the commit is not here
    if (auto made = Checkout(mirror, building, spec, limit).make(); !made) {
      (void)os::remove_tree(building);  // the error that counts is the one before
      return wrap(made.error(), "checking out " + spec.revision);
    }
    if (::rename(building.c_str(), directory.c_str()) != 0) return fail_errno(errno, "keeping the checkout");
  }
}

Result<std::size_t> GitSource::sweep(Time used_before) {
  std::size_t removed = 0;
  std::error_code error;
  std::vector<fs::path> locks;
  for (fs::directory_iterator at(directory_ / "checkouts", error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".lock") locks.push_back(at->path());
  }
  for (const fs::path& path : locks) {
    SW_TRY(const auto lock, os::FileLock::try_acquire(path, os::LockMode::exclusive));
    struct stat status{};
    if (!lock || ::fstat(lock->fd(), &status) != 0) continue;
    const Time used = from_micros(status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000);
    if (used >= used_before) continue;
    const std::string key = path.stem().string();
    SW_CHECK(os::remove_tree(path.parent_path() / key));
    SW_CHECK(os::remove_tree(path.parent_path() / (".building-" + key)));
    ::unlink(path.c_str());  // last: who waits for it sees that its file is gone, and begins anew
    ++removed;
  }
  return removed;
}

}  // namespace slipway::source
