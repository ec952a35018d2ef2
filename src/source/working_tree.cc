#include "source/working_tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/text.h"
#include "os/files.h"
#include "source/git_command.h"
#include "source/git_files.h"

namespace slipway::source {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::string_view kRemotes = "refs/remotes/";
constexpr std::size_t kMostConfig = 1U << 20U;

bool has_prefix(const std::string& text, std::string_view prefix) { return text.starts_with(prefix); }

std::string after(const std::string& text, std::string_view prefix) {
  return has_prefix(text, prefix) ? text.substr(prefix.size()) : std::string();
}

// The remote that `branch` follows; else `origin`; else the only one.
std::string remote_of(const std::map<std::string, std::string>& config, const std::string& branch) {
  const auto own = config.find("branch." + branch + ".remote");
  if (own != config.end() && own->second != ".") return own->second;
  std::set<std::string> remotes;
  for (const auto& [key, value] : config) {
    if (key.starts_with("remote.") && key.ends_with(".url")) remotes.insert(key.substr(7, key.size() - 11));
  }
  if (remotes.contains("origin") || remotes.size() != 1) return "origin";
  return *remotes.begin();
}

std::string value_or(const std::map<std::string, std::string>& config, const std::string& key) {
  const auto at = config.find(key);
  return at == config.end() ? std::string() : at->second;
}

// What is told by names of refs alone; `exists` and `symbolic` look them up.
template <class Exists, class Symbolic>
void fill_names(WorkingTree& tree, const std::map<std::string, std::string>& config, Exists&& exists,
                Symbolic&& symbolic) {
  const std::string remote = remote_of(config, tree.branch);
  tree.remote_url = without_credentials(value_or(config, "remote." + remote + ".url"));
  const std::string merge = value_or(config, "branch." + tree.branch + ".merge");
  if (!tree.branch.empty() && has_prefix(merge, kHeads)) {
    const bool local = value_or(config, "branch." + tree.branch + ".remote") == ".";
    std::string upstream = local ? merge : fmt::format("{}{}/{}", kRemotes, remote, after(merge, kHeads));
    if (exists(upstream)) tree.upstream = std::move(upstream);
  }
  const std::string tracked = fmt::format("{}{}/", kRemotes, remote);
  tree.default_branch = after(symbolic(tracked + "HEAD"), tracked);
  for (const char* name : {"main", "master"}) {
    if (tree.default_branch.empty() && (exists(tracked + name) || exists(std::string(kHeads) + name))) {
      tree.default_branch = name;
    }
  }
  if (tree.default_branch.empty()) tree.default_branch = tree.branch;
}

std::map<std::string, std::string> read_config(const fs::path& common_dir) {
  const auto text = os::read_file(common_dir / "config", kMostConfig);
  return text ? parse_git_config(*text) : std::map<std::string, std::string>();
}

// For kinds of repositories whose files we do not read.
Result<void> ask_for_refs(WorkingTree& tree, const std::map<std::string, std::string>& config,
                          const os::CallLimit& limit) {
  const auto ask = [&](std::vector<std::string> arguments) {
    return ask_git(question_to(tree.git_dir, tree.root, std::move(arguments)), limit);
  };
  const auto symbolic = [&](const std::string& name) { return ask({"symbolic-ref", "-q", name}).value_or(""); };
  SW_CHECK(ask({"rev-parse", "--git-dir"}));
  tree.branch = after(symbolic("HEAD"), kHeads);
  tree.sha = ask({"rev-parse", "-q", "--verify", "HEAD^{commit}"}).value_or("");  // fails before the first commit
  fill_names(
      tree, config, [&](const std::string& name) { return ask({"show-ref", "-q", "--verify", name}).has_value(); },
      symbolic);
  return {};
}

}  // namespace

std::string without_credentials(std::string_view url) { return RemoteUrl::parse(url).clean; }

Result<WorkingTree> read_working_tree(const fs::path& start, const os::CallLimit& limit) {
  std::error_code error;
  const fs::path absolute = fs::canonical(start, error);
  if (error) return fail(ErrorKind::not_found, "no directory " + start.string());
  if (!fs::is_directory(absolute, error)) return fail(ErrorKind::invalid, absolute.string() + " is not a directory");
  WorkingTree tree;
  tree.root = absolute;
  auto place = find_git(absolute);
  if (!place || !owns_repository(*place)) return tree;
  tree.is_git = true;
  tree.root = std::move(place->root);
  tree.git_dir = std::move(place->git_dir);
  tree.common_dir = std::move(place->common_dir);
  const auto config = read_config(tree.common_dir);
  GitRefs refs(tree.git_dir, tree.common_dir);
  const auto head = refs.read("HEAD");
  // With reftable, HEAD is a decoy that old programs cannot resolve.
  if (!head || value_or(config, "extensions.refstorage") == "reftable" || head->symbolic == "refs/heads/.invalid") {
    SW_CHECK(ask_for_refs(tree, config, limit));
    return tree;
  }
  tree.branch = after(head->symbolic, kHeads);
  tree.sha = head->symbolic.empty() ? head->sha : refs.resolve(head->symbolic).value_or("");
  fill_names(
      tree, config, [&](const std::string& name) { return refs.read(name).has_value(); },
      [&](const std::string& name) {
        const auto value = refs.read(name);
        return value ? value->symbolic : std::string();
      });
  return tree;
}

Result<std::string> tag_at_head(const WorkingTree& tree, const os::CallLimit& limit) {
  if (!tree.is_git || tree.sha.empty()) return std::string();
  std::string last;
  bool unknown = false;
  for (const GitRefs::Tag& tag : GitRefs(tree.git_dir, tree.common_dir).tags()) {
    if (tag.sha == tree.sha) {
      last = tag.name;
    } else if (!tag.peeled) {
      unknown = true;  // perhaps a tag object that stands for HEAD
    }
  }
  if (!unknown) return last;
  SW_TRY(const std::string names,
         ask_git(question_to(tree.git_dir, tree.root, {"tag", "--points-at", tree.sha}), limit));
  return std::string(split(names, '\n').back());
}

}  // namespace slipway::source
