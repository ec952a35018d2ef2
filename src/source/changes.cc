#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/short_sha.h"
#include "base/text.h"
#include "source/git_command.h"
#include "source/working_tree.h"

namespace slipway::source {

namespace {

// Nothing of the repository's configuration may run for a comparison.
const std::vector<std::string> kDiff = {
    "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all"};

GitCall call(const WorkingTree& tree, std::vector<std::string> arguments) {
  return question_to(tree.git_dir, tree.root, std::move(arguments));
}

// Comparing the working tree runs the clean filters that the repository configures, as whoever asks: every one that is
// configured is switched off. By variables, since `-c` cannot name a filter with `=` in its name.
Result<std::vector<std::pair<std::string, std::string>>> without_filters(const WorkingTree& tree,
                                                                         const os::CallLimit& limit) {
  SW_TRY(const std::string names, run_git(call(tree, {"config", "-z", "--list", "--name-only"}), limit));
  std::vector<std::pair<std::string, std::string>> variables;
  std::set<std::string> filters;
  for (const std::string& name : split_nul(names)) {
    if (const std::size_t dot = name.rfind('.'); name.starts_with("filter.") && dot >= 7)
      filters.insert(name.substr(0, dot));
  }
  std::size_t count = 0;
  const auto set = [&](const std::string& key, const char* value) {
    variables.emplace_back(fmt::format("GIT_CONFIG_KEY_{}", count), key);
    variables.emplace_back(fmt::format("GIT_CONFIG_VALUE_{}", count++), value);
  };
  for (const std::string& filter : filters) {
    for (const char* part : {".clean", ".smudge", ".process"}) set(filter + part, "");
    set(filter + ".required", "false");
  }
  variables.emplace_back("GIT_CONFIG_COUNT", std::to_string(count));
  return variables;
}

// Files that differ between `base` and `revision`, or what the working tree holds where that is empty.
Result<std::vector<std::string>> differences(const WorkingTree& tree, const std::string& base,
                                             const std::string& revision, const os::CallLimit& limit) {
  std::vector<std::string> arguments = kDiff;
  arguments.push_back(base);
  if (!revision.empty()) arguments.push_back(revision);
  arguments.emplace_back("--");
  GitCall compare = call(tree, std::move(arguments));
  SW_TRY(compare.environment, without_filters(tree, limit));
  SW_TRY(const std::string changed, run_git(compare, limit));
  const auto paths = split_nul(changed);
  std::set<std::string> files(paths.begin(), paths.end());
  if (revision.empty()) {
    SW_TRY(const std::string untracked,
           run_git(call(tree, {"ls-files", "--others", "--exclude-standard", "-z"}), limit));
    for (std::string& path : split_nul(untracked)) files.insert(std::move(path));
  }
  return std::vector<std::string>(files.begin(), files.end());
}

// What to compare with, the nearest first.
std::vector<std::string> bases_of(const WorkingTree& tree) {
  std::vector<std::string> bases;
  std::string remote = "origin";
  if (constexpr std::string_view kRemotes = "refs/remotes/"; tree.upstream.starts_with(kRemotes)) {
    remote = tree.upstream.substr(kRemotes.size(), tree.upstream.find('/', kRemotes.size()) - kRemotes.size());
  }
  if (!tree.upstream.empty()) bases.push_back(tree.upstream);
  if (!tree.default_branch.empty()) {
    bases.push_back(fmt::format("refs/remotes/{}/{}", remote, tree.default_branch));
    bases.push_back("refs/heads/" + tree.default_branch);
  }
  return bases;
}

Result<std::string> commit_in(const std::filesystem::path& git_dir, const std::string& name,
                              const os::CallLimit& limit) {
  SW_CHECK(check_revision(name));
  auto commit = ask_git(question_to(git_dir, git_dir, {"rev-parse", "-q", "--verify", name + "^{commit}"}), limit);
  if (!commit && commit.error().kind == ErrorKind::internal) {
    return fail(ErrorKind::not_found, "no revision `" + name + "`");
  }
  return commit;
}

}  // namespace

Result<std::string> commit_of(const WorkingTree& tree, const std::string& revision, const os::CallLimit& limit) {
  if (!tree.is_git) return fail(ErrorKind::invalid, tree.root.string() + " is not a git checkout");
  return commit_in(tree.git_dir, revision, limit);
}

Changes changed_files(const WorkingTree& tree, const std::string& base, const std::string& revision,
                      const os::CallLimit& limit) {
  const auto unknown = [](std::string reason) { return Changes{std::nullopt, {}, std::move(reason)}; };
  if (!tree.is_git) return unknown("not a git checkout");
  if (tree.sha.empty()) return unknown("there is no commit yet");
  for (const std::string& name : {base, revision}) {
    if (const auto good = check_revision(name); !good) return unknown(good.error().what);
  }
  const std::vector<std::string> candidates = base.empty() ? bases_of(tree) : std::vector<std::string>{base};
  std::string reason = "there is no upstream or default branch to compare with";
  for (const std::string& candidate : candidates) {
    const std::string head = revision.empty() ? tree.sha : revision;
    auto common = ask_git(call(tree, {"merge-base", head, candidate}), limit);
    if (!common) {
      if (!base.empty()) reason = common.error().what;
      continue;
    }
    auto files = differences(tree, *common, revision, limit);
    if (!files) return unknown(files.error().what);
    // An answer to a question that the user asked may be "nothing". One that we asked then says only that the
    // comparison was no use: somebody runs this for a reason.
    if (!files->empty() || !base.empty()) return {std::move(*files), std::move(*common), {}};
    reason = "nothing differs from " + candidate;
  }
  return unknown(std::move(reason));
}

namespace {

// Its object says so, whatever a shallow clone has cut off.
Result<bool> is_first(const std::filesystem::path& git_dir, const std::string& sha, const os::CallLimit& limit) {
  SW_TRY(const std::string object, run_git(question_to(git_dir, git_dir, {"cat-file", "commit", sha}), limit));
  return std::string_view(object).substr(0, object.find("\n\n")).find("\nparent ") == std::string_view::npos;
}

}  // namespace

Result<std::vector<std::string>> changed_between(const std::filesystem::path& git_dir, const std::string& from,
                                                 const std::string& to, const os::CallLimit& limit) {
  SW_TRY(const std::string last, commit_in(git_dir, to, limit));
  bool all = from == to + "^";
  if (all) {
    SW_TRY(all, is_first(git_dir, last, limit));
  }
  std::vector<std::string> arguments = {"ls-tree", "-r", "-z", "--name-only", "--full-tree", last};
  if (!all) {
    SW_TRY(const std::string first, commit_in(git_dir, from, limit));
    arguments = kDiff;
    arguments.insert(arguments.end(), {first, last, "--"});
  }
  SW_TRY(const std::string text, run_git(question_to(git_dir, git_dir, std::move(arguments)), limit));
  std::vector<std::string> files = split_nul(text);
  std::ranges::sort(files);
  return files;
}

Result<std::string> git_info(const WorkingTree& tree, const os::CallLimit& limit) {
  boost::json::object info;
  if (tree.is_git) {
    SW_TRY(const std::string tag, tag_at_head(tree, limit));
    info = {{"branch", tree.branch},
            {"sha", tree.sha},
            {"short_sha", short_sha(tree.sha)},
            {"default_branch", tree.default_branch},
            {"url", tree.remote_url},
            {"tag", tag}};
  }
  if (!tree.sha.empty()) {
    SW_TRY(
        const std::string text,
        ask_git(call(tree, {"log", "-1", "--no-show-signature", "--format=%an%x00%ae%x00%aI%x00%s", tree.sha}), limit));
    const auto fields = split(text, '\0');
    if (fields.size() == 4) {
      info["commit"] = {
          {"author", fields[0]}, {"author_email", fields[1]}, {"date", fields[2]}, {"subject", fields[3]}};
    }
  }
  return boost::json::serialize(info);
}

}  // namespace slipway::source
