#include "main/job_repository.h"

#include <string_view>

#include <fmt/format.h>

#include "os/files.h"
#include "source/git_files.h"
#include "wire/sandbox_json.h"

namespace slipway::program {

namespace {

namespace fs = std::filesystem;

// Not a configuration: git that is led to include it stops, and says its name.
constexpr std::string_view kRefusal = "a-repository-in-the-source-is-not-read";
constexpr std::string_view kRefusalText = "See docs/job-code.md, Git where the source is kept apart.\n";
constexpr std::size_t kMostConfig = 16U << 10U;

fs::file_type type_of(const fs::path& path) {
  std::error_code unreadable;
  return fs::symlink_status(path, unreadable).type();
}

void add_config(const fs::path& file, const std::string& shown_at, Replaced& replaced) {
  const fs::file_type type = type_of(file);
  if (type == fs::file_type::not_found || type == fs::file_type::directory) return;
  const bool is_file = type == fs::file_type::regular;
  replaced.emplace_back(shown_at,
                        is_file ? source::config_for_jobs(os::read_file(file, kMostConfig).value_or("")) : "");
}

// A checked out submodule finds its repository by a path through `.git`, and the repository names the checkout.
void lead_submodule(const fs::path& checkout, const fs::path& config, const std::string& inside, Replaced& replaced) {
  const auto settings = source::parse_git_config(os::read_file(config, kMostConfig).value_or(""));
  const auto work_tree = settings.find("core.worktree");
  if (work_tree == settings.end()) return;
  const fs::path repository = config.parent_path();
  const fs::path place = (repository / work_tree->second).lexically_normal().lexically_relative(checkout);
  if (place.empty() || *place.begin() == ".." || *place.begin() == "." || *place.begin() == ".git") return;
  if (type_of(checkout / place / ".git") != fs::file_type::regular) return;
  const std::string below = repository.lexically_relative(checkout / ".git").string();
  replaced.emplace_back((place / ".git").lexically_normal().string(), fmt::format("gitdir: {}/{}\n", inside, below));
}

Result<void> check_no_links(const fs::path& repository) {
  for (const char* name : {"config", "config.worktree", "HEAD", "index", "info", "logs", "modules", "objects",
                           "packed-refs", "refs", "worktrees"}) {
    if (type_of(repository / name) != fs::file_type::symlink) continue;
    return fail(ErrorKind::denied, fmt::format("`.git/{}` of the source is a link: beside job code its repository has "
                                               "to be a plain one (`git clone` makes one)",
                                               name));
  }
  return {};
}

}  // namespace

bool has_repository(const fs::path& directory) { return type_of(directory / ".git") == fs::file_type::directory; }

Result<Replaced> without_credentials(const fs::path& repository, const std::string& prefix) {
  Replaced replaced;
  for (const char* name : {"config", "config.worktree"}) add_config(repository / name, prefix + name, replaced);
  constexpr int kDeepest = 12;
  constexpr std::size_t kMost = 1000;
  // Of submodules and other checkouts; and remotes as git kept them before it had `config`.
  for (const char* part : {"modules", "worktrees", "remotes", "branches"}) {
    std::error_code unreadable;
    for (fs::recursive_directory_iterator at(repository / part, unreadable), end; !unreadable && at != end;
         at.increment(unreadable)) {
      const std::string name = at->path().filename().string();
      if (name == "objects" || name == "refs" || name == "logs") at.disable_recursion_pending();
      if (at.depth() >= kDeepest || replaced.size() >= kMost) {
        return fail(ErrorKind::exhausted, (repository / part).string() +
                                              " holds more repositories than can be searched " +
                                              "for credentials before a job may see them");
      }
      const bool is_remote = std::string_view(part) == "remotes" || std::string_view(part) == "branches";
      if (!is_remote && name != "config" && name != "config.worktree") continue;
      add_config(at->path(), prefix + at->path().lexically_relative(repository).string(), replaced);
    }
  }
  return replaced;
}

Result<void> show_repository(sandbox::Mount& mount, bool is_gits) {
  if (!is_gits) {
    if (type_of(mount.outside / ".git") != fs::file_type::not_found) mount.hidden.emplace_back(".git");
    return {};
  }
  if (!has_repository(mount.outside)) return {};
  SW_TRY(mount.replaced, without_credentials(mount.outside / ".git", ".git/"));
  return {};
}

Result<RepositoryApart> repository_apart(const fs::path& checkout, std::uint32_t owner, const std::string& inside) {
  const fs::path repository = checkout / ".git";
  SW_CHECK(check_no_links(repository));
  SW_TRY(Replaced replaced, without_credentials(repository, ""));
  RepositoryApart apart;
  apart.in_checkout = {{".git", "gitdir: " + inside + "\n"}};
  for (const auto& [name, text] : replaced) {
    if (name.starts_with("modules/") && name.ends_with("/config")) {
      lead_submodule(checkout, repository / name, inside, apart.in_checkout);
    }
  }
  replaced.emplace_back(kRefusal, kRefusalText);
  apart.repository = {sandbox::Mount::Kind::overlay, repository, inside, false, owner, std::move(replaced)};
  apart.repository.hidden = {"hooks", "commondir", "gitdir"};
  return apart;
}

sandbox::Mount no_repository(const fs::path& empty, std::uint32_t owner, const std::string& inside) {
  return {
      sandbox::Mount::Kind::overlay, empty, inside, false, owner, {{std::string(kRefusal), std::string(kRefusalText)}}};
}

std::vector<std::pair<std::string, std::string>> git_apart(const std::string& workspace, const std::string& inside,
                                                           bool has_repository) {
  const std::string work_tree = workspace + "/src";
  std::vector<std::pair<std::string, std::string>> facts = {{"GIT_DIR", inside}};
  if (has_repository) facts.emplace_back("GIT_WORK_TREE", work_tree);
  const std::string refusal = fmt::format("{}/{}", inside, kRefusal);
  // Git enters a repository in the work tree (a submodule) without asking whose it is, by its own will and by that of
  // a `.gitmodules` which source writes. It reads what it is told here there too, last and before it runs anything.
  const std::pair<std::string, std::string> settings[] = {
      {"safe.directory", work_tree},
      {"safe.bareRepository", "explicit"},
      {"diff.ignoreSubmodules", "all"},
      {"submodule.recurse", "false"},
      {"fetch.recurseSubmodules", "false"},
      {"includeIf.gitdir:" + work_tree + ".path", refusal},
      {"includeIf.gitdir:" + work_tree + "/.path", refusal},
      {fmt::format("includeIf.gitdir:{}{}/.path", workspace, wire::kFromSource), refusal}};
  facts.emplace_back("GIT_CONFIG_COUNT", std::to_string(std::size(settings)));
  for (std::size_t i = 0; i < std::size(settings); ++i) {
    facts.emplace_back(fmt::format("GIT_CONFIG_KEY_{}", i), settings[i].first);
    facts.emplace_back(fmt::format("GIT_CONFIG_VALUE_{}", i), settings[i].second);
  }
  return facts;
}

}  // namespace slipway::program
