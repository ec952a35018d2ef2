// `.reactorcide/jobs/*.yaml` and `.reactorcide/workflows/*.yaml`.
#include <fmt/format.h>

#include "base/paths.h"
#include "base/text.h"
#include "definition/dialects/files.h"
#include "definition/dialects/job_parts.h"
#include "definition/dialects/keys.h"
#include "definition/dialects/python.h"
#include "definition/limits.h"

namespace slipway::definition {

namespace {

constexpr std::size_t kMostOfAnId = 63;

bool is_id(std::string_view text) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= kMostOfAnId && text[0] != '-' && std::ranges::all_of(text, fits);
}

/// `My PR.yaml` → `my-pr`
std::string id_of_file(std::string_view file) {
  std::string_view stem = file.substr(file.rfind('/') == std::string_view::npos ? 0 : file.rfind('/') + 1);
  stem = stem.substr(0, stem.rfind('.'));
  std::string id;
  for (const char c : stem) {
    const char low = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    const bool fits = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9');
    if (fits)
      id += low;
    else if (!id.empty() && id.back() != '-')
      id += '-';
  }
  id = id.substr(0, kMostOfAnId);
  while (id.ends_with('-')) id.pop_back();
  return id.empty() ? "workflow" : id;
}

void put_standards(const Desk& desk, const Node& at, Node* made) {
  Node* resources = member(made, "resources");
  if (resources == nullptr) desk.make.put(made, at, "resources", resources = desk.make.map(at));
  if (member(resources, "cpu") == nullptr) desk.make.put(resources, at, "cpu", desk.make.plain(at, kStandardCpu));
  if (member(resources, "memory") == nullptr)
    desk.make.put(resources, at, "memory", desk.make.plain(at, kStandardMemory));
  desk.make.put(made, at, "presets", desk.make.texts(at, {kReactorcidePreset}));
}

void put_resources(const Desk& desk, Node& job, Node* made) {
  Node* resources = member(&job, "resources");
  if (resources == nullptr || resources->kind != Node::Kind::mapping) return;
  desk.make.put(made, key_of(job, "resources"), "resources", translate_resources(desk, *resources, made));
}

/// Entries of a workflow, and the files they name.
class Entries {
 public:
  Entries(const Desk& desk, const ReadOptions& options) : desk_(desk), options_(options) {}

  Node* translate(Node& entry, const Node* name) {
    Node* made = desk_.make.map(entry);
    if (name != nullptr) desk_.make.put(made, *name, "name", desk_.make.text(*name, name->text));
    Node* file = nullptr;
    if (Node* path = member(&entry, "job_file")) {
      file = read(*path);
      if (file == nullptr) return nullptr;
    }
    Node& job = *merged_job(entry, member(file, "job"));
    put_text(desk_, file != nullptr && member(&entry, "description") == nullptr ? *file : entry, "description", made);
    translate_graph(desk_, job, made);
    translate_job(desk_, job, made);
    put_resources(desk_, job, made);
    translate_environment(desk_, merged(member(&entry, "environment"), member(file, "environment")), made);
    translate_command(desk_, job, made);
    return made;
  }

 private:
  /// Key by key; what `upper` says wins. Either may be null.
  Node* merged(Node* upper, Node* lower) {
    if (upper == nullptr || upper->kind != Node::Kind::mapping) return lower;
    if (lower == nullptr || lower->kind != Node::Kind::mapping) return upper;
    Node* made = desk_.make.map(*upper);
    for (const Node* layer : {lower, upper}) {
      for (const Node::Entry& entry : layer->entries) {
        const std::string_view name = entry.key->text == "needs" ? "depends_on" : std::string_view(entry.key->text);
        std::erase_if(made->entries, [&](const Node::Entry& known) { return known.key->text == name; });
        Node* key = entry.key;
        if (name != entry.key->text) key = desk_.make.text(*entry.key, std::string(name));
        made->entries.push_back({key, entry.value});
      }
    }
    return made;
  }

  /// The file's `job`, what the entry says beside it, and the entry's own `job`, the later one winning.
  Node* merged_job(Node& entry, Node* of_file) {
    Node* beside = desk_.make.map(entry);
    for (const Node::Entry& one : entry.entries) {
      const std::string& key = one.key->text;
      const bool of_entry =
          key == "name" || key == "description" || key == "job_file" || key == "job" || key == "environment";
      if (!of_entry && !one.key->bad && !one.value->bad) beside->entries.push_back(one);
    }
    Node* lower = of_file == nullptr ? beside : merged(beside, of_file);
    return merged(member(&entry, "job"), lower);
  }

  Node* read(Node& path) {
    const auto refuse = [&](const std::string& why, const std::string& hint) -> Node* {
      desk_.source.report(path, "E071",
                          fmt::format("`job_file` cannot be `{}`: {}", path.text.substr(0, kMaxNameLength), why), hint);
      return nullptr;
    };
    if (!is_clean_relative(path.text))
      return refuse("it is no path below the project", "as test-go.yaml, in .reactorcide/jobs");
    if (options_.open == nullptr) return refuse("other files cannot be read here", "write the job out");
    if (const auto known = files_.find(path.text); known != files_.end()) {
      if (known->second == nullptr) path.bad = true;
      return known->second;
    }
    files_.emplace(path.text, nullptr);
    for (const std::string& name : {path.text, ".reactorcide/jobs/" + path.text}) {
      auto text = options_.open(name);
      if (!text && text.error().kind == ErrorKind::not_found) continue;
      if (!text) return refuse(text.error().what, "");
      return files_[path.text] = parse(name, *text);
    }
    return refuse("there is no such file", "it lies in .reactorcide/jobs, or below the project");
  }

  Node* parse(const std::string& name, const std::string& text) {
    const std::string& kept = desk_.made.file_names.emplace_back(name);
    Source source(text, kept);
    auto document = parse_document(source);
    Node* root = nullptr;
    if (document != nullptr) {
      for (Node& node : document->nodes) node.file = &kept;
      if (check_foreign(source, *document, kReactorcideJobFile)) root = document->root;
      desk_.made.documents.push_back(std::move(document));
    }
    if (has_errors(source.problems())) root = nullptr;
    for (Problem& problem : source.problems()) desk_.source.take(std::move(problem));
    return root;
  }

  const Desk& desk_;
  const ReadOptions& options_;
  std::map<std::string, Node*> files_;
};

}  // namespace

Translation translate_reactorcide_job(Source& source, Document& document, const ReadOptions& options) {
  Translation made;
  if (!check_foreign(source, document, kReactorcideJobFile)) return made;
  Node& file = *document.root;
  NodeMaker make(document);
  const Desk desk{source, make, options, made};
  Node* job = make.map(file);
  put_text(desk, file, "name", job);
  if (Node* name = member(&file, "name"); name != nullptr && trim(name->text).empty())
    source.report(*name, "E018", "`name` of the file is empty", "a job needs a name");
  put_text(desk, file, "description", job);
  Node* triggers = member(&file, "triggers");
  if (triggers == nullptr) triggers = member(&file, "on");
  make.put(job, file, "on", translate_triggers(desk, triggers, member(&file, "paths")));
  Node* said = member(&file, "job");
  if (said != nullptr && said->kind == Node::Kind::mapping) {
    translate_graph(desk, *said, job);
    translate_job(desk, *said, job);
    put_resources(desk, *said, job);
  }
  put_standards(desk, file, job);
  translate_environment(desk, member(&file, "environment"), job);
  if (said != nullptr && said->kind == Node::Kind::mapping) translate_command(desk, *said, job);
  made.root = make.map(file);
  make.put(made.root, file, "job", job);
  return made;
}

Translation translate_reactorcide_workflow(Source& source, Document& document, const ReadOptions& options) {
  Translation made;
  if (!check_foreign(source, document, kReactorcideWorkflowFile)) return made;
  Node& file = *document.root;
  NodeMaker make(document);
  const Desk desk{source, make, options, made};
  Node* workflow = make.map(file);
  put_text(desk, file, "name", workflow);
  put_text(desk, file, "description", workflow);
  Node* triggers = member(&file, "on");
  if (triggers == nullptr) triggers = member(&file, "triggers");
  make.put(workflow, file, "on", translate_triggers(desk, triggers, member(&file, "paths")));
  Node* id = member(&file, "id");
  if (id != nullptr && !is_id(id->text)) {
    source.report(*id, "E018", fmt::format("`id` cannot be `{}`", id->text.substr(0, kMaxNameLength)),
                  "a to z, digits and `-`, not first; at most 63");
  }
  const Node& id_place = id == nullptr ? file : *id;
  Node* env = make.map(file);
  make.put(env, id_place, "RC_WF_ID", make.text(id_place, id == nullptr ? id_of_file(source.file()) : id->text));
  make.put(workflow, id_place, "env", env);
  if (Node* vars = member(&file, "vars"); vars != nullptr && !vars->entries.empty()) {
    Node* ours = make.map(*vars);
    for (const Node::Entry& entry : vars->entries) {
      const auto text = python_text(*entry.value);
      if (!text)
        source.report(*entry.value, "E013",
                      fmt::format("the value `{}` of `vars` is {}", entry.key->text, kind_name(*entry.value)));
      if (text) make.put(ours, *entry.key, entry.key->text, make.text(*entry.value, *text));
    }
    make.put(workflow, key_of(file, "vars"), "vars", ours);
  }
  Node* defaults = make.map(file);
  put_standards(desk, file, defaults);
  make.put(workflow, file, "defaults", defaults);

  Entries entries(desk, options);
  Node* jobs = make.list(file);
  if (Node* given = member(&file, "jobs"); given != nullptr && given->kind == Node::Kind::sequence) {
    for (Node* item : given->items) {
      if (item->bad) continue;
      const Node* name = member(item, "name");
      if (name == nullptr) {
        source.report(*item, "E011", "a job has no `name`", "add `name: ...`");
        continue;
      }
      if (Node* job = entries.translate(*item, name)) jobs->items.push_back(job);
    }
  } else if (given != nullptr) {
    for (const Node::Entry& entry : given->entries) {
      if (entry.key->bad || entry.value->bad) continue;
      if (Node* job = entries.translate(*entry.value, entry.key)) jobs->items.push_back(job);
    }
  }
  if (!jobs->items.empty()) make.put(workflow, key_of(file, "jobs"), "jobs", jobs);
  if (jobs->items.empty()) return made;  // each was reported
  made.root = make.map(file);
  make.put(made.root, file, "workflow", workflow);
  return made;
}

}  // namespace slipway::definition
