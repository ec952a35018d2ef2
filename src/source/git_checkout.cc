#include "source/git_checkout.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "base/text.h"
#include "os/files.h"
#include "source/git_files.h"
#include "source/git_objects.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostConfig = 1U << 20U;
constexpr std::string_view kHeads = "refs/heads/";

// Where git-lfs looks by itself (its document "Server Discovery").
std::string large_files_url(const std::string& repository) {
  if (repository.starts_with('/')) return "file://" + repository;
  if (!repository.starts_with("http")) return repository;
  return repository + (repository.ends_with(".git") ? "" : ".git") + "/info/lfs";
}

}  // namespace

Result<void> GitCheckout::make() {
  SW_CHECK(spec_.checkout.depth ? take_part_of_history() : take_history());
  std::vector<std::string> arguments = {"checkout", "--quiet", "--force"};
  if (spec_.branch.empty()) {
    arguments.emplace_back("--detach");
  } else {
    arguments.insert(arguments.end(), {"-B", spec_.branch});
  }
  arguments.push_back(spec_.revision);
  SW_CHECK(spec_.checkout.lfs ? check_out_with_large_files(std::move(arguments))
                              : git(std::move(arguments), Objects::sealed));
  if (spec_.checkout.submodules) SW_CHECK(take_submodules());
  return seal();
}

Result<void> GitCheckout::git(std::vector<std::string> arguments, Objects objects, std::vector<fs::path> readable) {
  GitToolCall call{.arguments = std::move(arguments), .directory = directory_, .readable = std::move(readable)};
  call.writable = {directory_};
  // Shared with the mirror and other checkouts by links.
  if (objects == Objects::sealed) call.readable.push_back(directory_ / ".git/objects");
  auto output = run_git_tool(runner_, call, limit_);
  if (!output) return std::unexpected(output.error());
  return {};
}

Result<void> GitCheckout::with_remote(GitToolCall call) {
  call.directory = directory_;
  call.writable = {directory_};
  call.readable.push_back(directory_ / ".git/objects");
  if (!from_.remote()) {
    // A path: what the repository itself refers to may still be elsewhere.
    for (const fs::path& path : from_.readable()) call.readable.push_back(path);
    call.network = ToolCall::Network::host;
  }
  auto output =
      from_.remote() ? from_.remote()->run(runner_, std::move(call), limit_) : run_git_tool(runner_, call, limit_);
  if (!output) return std::unexpected(output.error());
  return {};
}

// What `git clone --no-checkout` would make, without running git on the mirror's objects.
Result<void> GitCheckout::take_history() {
  SW_TRY(const auto lock, from_.hold(limit_));
  SW_TRY(const std::string refs, from_.refs(limit_));
  const fs::path git_dir = directory_ / ".git";
  SW_CHECK(os::make_directories(git_dir / "refs/heads", 0755));
  SW_CHECK(link_objects(from_.git_dir() / "objects", git_dir / "objects"));
  std::string packed;
  for (const std::string_view line : split(trim(refs), '\n')) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    const std::string_view name = line.substr(space + 1);
    packed += name.starts_with(kHeads)
                  ? fmt::format("{} refs/remotes/origin/{}\n", line.substr(0, space), name.substr(kHeads.size()))
                  : fmt::format("{}\n", line);
  }
  SW_CHECK(os::replace_file(git_dir / "packed-refs", packed, 0644));
  SW_CHECK(os::replace_file(git_dir / "HEAD", spec_.revision + "\n", 0644));
  if (const auto shallow = os::read_file(from_.git_dir() / "shallow", kMostConfig)) {
    SW_CHECK(os::replace_file(git_dir / "shallow", *shallow, 0644));
  }
  return write_config();
}

Result<void> GitCheckout::write_config() const {
  const bool sha256 = spec_.revision.size() == 64;
  std::string text = fmt::format(
      "[core]\n\trepositoryformatversion = {}\n\tfilemode = true\n\tbare = false\n"
      "\tlogallrefupdates = true\n"
      // A job sees the files as another user's on another file system: what git then compares is time and size, else it
      // would read all of them again, and take large files for changed ones where git-lfs is not there.
      "\tcheckstat = minimal\n\ttrustctime = false\n",
      sha256 ? 1 : 0);
  if (sha256) text += "[extensions]\n\tobjectformat = sha256\n";
  std::string url;
  for (const char c : from_.url()) {
    if (c == '"' || c == '\\') url.push_back('\\');
    url.push_back(c);
  }
  text += fmt::format("[remote \"origin\"]\n\turl = \"{}\"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n", url);
  return os::replace_file(directory_ / ".git/config", text, 0644);
}

Result<void> GitCheckout::take_part_of_history() {
  SW_TRY(const auto lock, from_.hold(limit_));
  const fs::path git_dir = directory_ / ".git";
  for (const char* name : {"refs/heads", "objects/pack", "objects/info"}) {
    SW_CHECK(os::make_directories(git_dir / name, 0755));
  }
  SW_CHECK(os::replace_file(git_dir / "HEAD", "ref: refs/heads/main\n", 0644));
  SW_CHECK(write_config());
  return git({"fetch", "--quiet", "--no-tags", fmt::format("--depth={}", *spec_.checkout.depth),
              "--upload-pack=git -c uploadpack.allowAnySHA1InWant=true -c safe.directory=* upload-pack",
              "file://" + from_.git_dir().string(), spec_.revision},
             Objects::writable, from_.readable());
}

// Of a repository on this machine: the submodules that it has itself, by name. What `.gitmodules` says may be any
// repository of the user's, for the jobs of a stranger's commit to read.
std::vector<std::string> GitCheckout::own_submodules() const {
  std::vector<std::string> settings;
  constexpr std::size_t kMost = 1000;
  std::error_code error;
  fs::path own = from_.local_path();
  if (fs::is_directory(own / ".git", error)) own /= ".git";
  for (fs::directory_iterator at(own / "modules", error), end; !error && at != end && settings.size() < kMost;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    const bool plain = fs::is_directory(at->symlink_status(error)) && fs::exists(at->path() / "HEAD", error);
    if (!plain || name.find('=') != std::string::npos) continue;
    settings.push_back("submodule." + name + ".url=file://" + at->path().string());
  }
  return settings;
}

// git would follow any URL that a commit names, with the network of this machine: web servers that ask for no login are
// many on a loopback or a private network, so that only transports stay that know whom they talk to.
Result<void> GitCheckout::take_submodules() {
  std::vector<fs::path> readable;
  std::vector<std::string> arguments = {"-c", "protocol.allow=never",     "-c", "protocol.https.allow=always",
                                        "-c", "protocol.ssh.allow=always"};
  if (from_.url().starts_with("http://")) arguments.insert(arguments.end(), {"-c", "protocol.http.allow=always"});
  if (!from_.remote() || from_.is_local()) {
    // What can be reached is what may be read: this repository.
    arguments.insert(arguments.end(), {"-c", "protocol.file.allow=always"});
    for (std::string& setting : own_submodules()) arguments.insert(arguments.end(), {"-c", std::move(setting)});
    // A submodule's repository leads to its checkout, without which git does not read it.
    if (from_.git_dir().filename() == ".git") readable.push_back(from_.git_dir().parent_path());
  }
  arguments.insert(arguments.end(), {"submodule", "--quiet", "update", "--init", "--recursive"});
  auto done = with_remote({.arguments = std::move(arguments),
                           .readable = std::move(readable),
                           .is_anonymous = spec_.trust == model::Trust::untrusted});
  if (!done && from_.is_local()) {
    done.error().what += "; of a repository on this machine only submodules that lie in its own .git/modules come";
  }
  return done;
}

// By git-lfs as a filter, so that git knows the files as they are then. It is the only one, whatever the commit says.
Result<void> GitCheckout::check_out_with_large_files(std::vector<std::string> arguments) {
  if (auto there = git({"lfs", "version"}, Objects::sealed); !there) {
    return fail(ErrorKind::unavailable,
                "`checkout: {lfs: true}` needs git-lfs, which is not installed here: install the package git-lfs");
  }
  arguments.insert(arguments.begin(),
                   {"-c", "filter.lfs.process=git-lfs filter-process", "-c", "filter.lfs.required=true"});
  // Else it would go where the commit says, with the login of the repository.
  if (spec_.trust == model::Trust::untrusted)
    arguments.insert(arguments.begin(), {"-c", "lfs.url=" + large_files_url(from_.url())});
  return with_remote({.arguments = std::move(arguments), .large_files = true});
}

// From here on programs of this machine may read the repository: its configuration holds nothing that runs or reveals.
Result<void> GitCheckout::seal() const {
  struct stat status{};
  const fs::path git_dir = directory_ / ".git";
  if (::lstat(git_dir.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return fail(ErrorKind::denied, "the checkout has replaced its own .git");
  }
  SW_TRY(const os::Fd root, os::open_file(git_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  SW_TRY(const os::Fd file, os::open_untrusted(root.get(), "config"));
  SW_TRY(const std::string text, os::read_all(file.get(), kMostConfig));
  SW_CHECK(os::replace_file(git_dir / "config", config_for_jobs(text), 0644));
  return os::remove_tree(git_dir / "hooks");
}

}  // namespace slipway::source
