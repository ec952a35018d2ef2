// A registry: `projects: [{name, vcs_url, default_branch, jobs: [...]}]`.
#include <fmt/format.h>

#include "base/text.h"
#include "definition/dialects/files.h"
#include "definition/dialects/job_parts.h"

namespace slipway::definition {

namespace {

/// `https://user@host/team/app.git` and `git@host:team/app` name one repository.
std::string repository_of(std::string_view url) {
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  const std::size_t slash = url.find('/');
  if (const std::size_t at = url.substr(0, slash).rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.ends_with(".git")) url.remove_suffix(4);
  std::string text(url);
  if (const std::size_t colon = text.find(':'); colon < text.find('/')) text[colon] = '/';
  std::ranges::transform(text, text.begin(),
                         [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return text;
}

}  // namespace

Result<std::vector<RegistryProject>> find_projects(const Node& root, const ProjectQuery& query) {
  const Node* projects = member(&root, "projects");
  std::vector<std::string> names;
  std::vector<RegistryProject> found;
  for (const Node* project : projects == nullptr ? std::vector<Node*>() : projects->items) {
    const Node* name = member(project, "name");
    const Node* url = member(project, "vcs_url");
    if (name == nullptr) continue;
    names.push_back(name->text);
    const bool same_url = query.name.empty() && url != nullptr && !query.url.empty() &&
                          repository_of(url->text) == repository_of(query.url);
    if (!query.all && !same_url && (query.name.empty() || name->text != query.name)) continue;
    const Node* jobs = member(project, "jobs");
    found.push_back({name->text, jobs == nullptr ? std::vector<Node*>() : jobs->items});
  }
  if (!found.empty() || query.all) return found;
  const std::string known = names.empty() ? "it has none" : "it has " + join(names, ", ");
  if (!query.name.empty()) return fail(ErrorKind::not_found, fmt::format("no project `{}`: {}", query.name, known));
  return fail(ErrorKind::not_found,
              fmt::format("no project with the vcs_url {}: {}; --project NAME names one",
                          query.url.empty() ? "of this checkout, which has no remote" : query.url, known));
}

Translation translate_registry_job(Source& source, Document& document, Node& job, const ReadOptions& options) {
  Translation made;
  NodeMaker make(document);
  const Desk desk{source, make, options, made};
  Node* ours = make.map(job);
  Node* name = member(&job, "name");
  if (name != nullptr) make.put(ours, key_of(job, "name"), "name", make.text(*name, name->text));
  make.put(ours, job, "on", translate_triggers(desk, &job, nullptr));
  if (Node* image = member(&job, "job_image"); image != nullptr && !image->text.empty())
    make.put(ours, key_of(job, "job_image"), "image", make.text(*image, image->text));
  if (Node* priority = member(&job, "priority")) put_priority(desk, key_of(job, "priority"), *priority, ours);
  if (Node* timeout = member(&job, "timeout"))
    make.put(ours, key_of(job, "timeout"), "timeout", seconds_of(desk, *timeout));
  if (Node* secrets = member(&job, "secrets")) {
    std::vector<Node*> names;
    for (Node* item : items_of_list(secrets)) names.push_back(make.text(*item, item->text));
    if (!names.empty()) make.put(ours, key_of(job, "secrets"), "secrets", make.list(*secrets, names));
  }
  if (Node* command = member(&job, "job_command")) put_script(desk, key_of(job, "job_command"), *command, ours);
  made.root = make.map(job);
  make.put(made.root, job, "job", ours);
  return made;
}

}  // namespace slipway::definition
