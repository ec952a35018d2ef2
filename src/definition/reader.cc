#include "definition/reader.h"

#include <fmt/format.h>

#include "base/text.h"
#include "definition/build_job.h"
#include "definition/check.h"
#include "definition/dialects/dialect.h"
#include "definition/dialects/files.h"
#include "definition/dialects/keys.h"
#include "definition/limits.h"
#include "definition/presets.h"
#include "definition/scalars.h"
#include "definition/validate.h"

namespace slipway::definition {

namespace {

constexpr Shape kFileShape{.kind = Shape::Kind::object, .context = &kFileContext};

/// `ci` of `.slipway/workflows/ci.yaml`, with what a name may not have left out.
std::string name_of_file(std::string_view file) {
  std::string_view stem = file.substr(file.rfind('/') == std::string_view::npos ? 0 : file.rfind('/') + 1);
  stem = stem.substr(0, stem.rfind('.'));
  return is_name(stem) ? std::string(stem) : "workflow";
}

class WorkflowBuilder {
 public:
  WorkflowBuilder(Source& source, Document& document) : source_(source), values_(source), jobs_(source, document) {}

  model::Workflow build(Node& root) {
    model::Workflow workflow;
    workflow.file = source_.file();
    workflow.name = name_of_file(source_.file());
    const Fields top(kFileContext, &root);
    if (Node* job = top.get("job"))
      read_job_file(workflow, top, *job);
    else if (Node* mapping = top.get("workflow"))
      read_workflow(workflow, *mapping);
    return workflow;
  }

 private:
  void read_workflow(model::Workflow& workflow, Node& node) {
    const Fields fields(kWorkflowContext, &node);
    if (Node* name = fields.get("name")) workflow.name = name->text;
    workflow.description = text_of(fields.get("description"));
    workflow.on = values_.triggers_of(fields.get("on"));
    workflow.env = values_.env_of(fields.get("env"));
    read_presets(workflow, fields.get("presets"));
    workflow.vars = values_.value_map_of(fields.get("vars"));
    workflow.concurrency = values_.concurrency_of(fields.get("concurrency"));
    workflow.ci_code = values_.code_of(fields.get("ci_code"), "ci_code");
    workflow.source_code = values_.code_of(fields.get("source_code"), "source_code");
    defaults_ = fields.get("defaults");
    read_templates(workflow, fields.get("templates"));
    read_jobs(workflow, fields.get("jobs"));
  }

  void read_job_file(model::Workflow& workflow, const Fields& top, Node& node) {
    workflow.is_single_job = true;
    const Fields fields(kJobFileContext, &node);
    const auto either = [&](std::string_view key) {
      Node* inside = fields.get(key);
      Node* beside = top.get(key);
      if (inside != nullptr && beside != nullptr) {
        source_.report(*beside, "E019", fmt::format("`{}` stands both in `job` and beside it", key), "keep one");
      }
      return inside != nullptr ? inside : beside;
    };
    workflow.on = values_.triggers_of(either("on"));
    workflow.env = values_.env_of(top.get("env"));
    workflow.concurrency = values_.concurrency_of(top.get("concurrency"));
    read_templates(workflow, either("templates"));
    Node* name = fields.get("name");
    if (name != nullptr) workflow.name = name->text;
    workflow.jobs.push_back(read_job(workflow, node, workflow.name, kJobFileContext));
  }

  void read_presets(model::Workflow& workflow, Node* node) {
    if (node == nullptr) return;
    for (const Node::Entry& entry : node->entries) {
      if (is_built_in_preset(entry.key->text)) {
        source_.report(*entry.key, "E030",
                       fmt::format("there is a preset `{}` already: it is built in", entry.key->text),
                       "call yours otherwise");
      }
      if (!entry.value->bad) workflow.presets[entry.key->text] = values_.env_of(entry.value);
    }
  }

  std::vector<Layer> with_defaults(std::vector<Layer> layers) const {
    if (defaults_ != nullptr) {
      layers.push_back(
          {&kDefaultsContext, defaults_, fmt::format("defaults at {}:{}", source_.file(), defaults_->line)});
    }
    return layers;
  }

  void read_templates(model::Workflow& workflow, Node* node) {
    if (node == nullptr) return;
    for (const Node::Entry& entry : node->entries) {
      if (entry.value->bad || entry.key->bad) continue;
      const Fields fields(kTemplateContext, entry.value);
      model::JobTemplate made;
      made.params = values_.inputs_of(fields.get("params"));
      made.job =
          jobs_.build(*entry.value, entry.key->text, with_defaults({{&kTemplateContext, entry.value, ""}}), true);
      made.job.params = sample_params(made.params);
      workflow.templates.emplace(entry.key->text, std::move(made));
      template_nodes_.emplace(entry.key->text, entry.value);
    }
  }

  // So that what a template says can be checked before anyone uses it.
  static model::Named<model::Value> sample_params(const model::Named<model::InputDefinition>& params) {
    using Type = model::InputDefinition::Type;
    model::Named<model::Value> values;
    for (const auto& [name, param] : params) {
      model::Value value = param.type == Type::number    ? model::Value{0.0}
                           : param.type == Type::boolean ? model::Value{false}
                                                         : model::Value{std::string()};
      values.emplace_back(name, param.default_value.value_or(std::move(value)));
    }
    return values;
  }

  void read_jobs(model::Workflow& workflow, Node* node) {
    if (node == nullptr) return;
    if (node->kind == Node::Kind::sequence) {
      for (Node* item : items_of(node)) {
        Node* name = Fields(kJobContext, item).get("name");
        if (name == nullptr) {
          const bool bad =
              std::ranges::any_of(item->entries, [](const Node::Entry& e) { return e.key->text == "name"; });
          if (!bad) source_.report(*item, "E011", "a job has no `name`", "add `name: ...`");
        }
        workflow.jobs.push_back(read_job(workflow, *item, text_of(name), kJobContext));
      }
      return;
    }
    for (const Node::Entry& entry : node->entries) {
      if (entry.value->bad || entry.key->bad) continue;
      Node* name = Fields(kJobContext, entry.value).get("name");
      if (name != nullptr && name->text != entry.key->text) {
        source_.report(*name, "E019", fmt::format("job `{}` calls itself `{}`", entry.key->text, name->text),
                       "leave `name` out: the key is its name");
      }
      workflow.jobs.push_back(read_job(workflow, *entry.value, entry.key->text, kJobContext));
      workflow.jobs.back().place = values_.place(*entry.key);
    }
  }

  model::JobDefinition read_job(const model::Workflow& workflow, Node& node, const std::string& name,
                                const Context& context) {
    std::vector<Layer> layers = {{&context, &node, ""}};
    const Fields fields(context, &node);
    Node* wanted = fields.get("template");
    Node* with = fields.get("with");
    model::Named<model::Value> params;
    if (wanted != nullptr) {
      const auto found = template_nodes_.find(wanted->text);
      if (found == template_nodes_.end()) {
        unknown_template(*wanted);
      } else {
        layers.push_back({&kTemplateContext, found->second, fmt::format("template {}", wanted->text)});
        params = params_of(workflow.templates.at(wanted->text).params, *wanted, with);
      }
    } else if (with != nullptr) {
      source_.report(*with, "E041", fmt::format("job `{}` has `with` but no `template`", name), "add `template: NAME`");
    }
    const bool code_may_run = workflow.ci_code.has_value() && !workflow.ci_code->path.empty();
    const bool broken_template = wanted != nullptr && layers.size() == 1;
    model::JobDefinition job =
        jobs_.build(node, name, with_defaults(std::move(layers)), code_may_run || broken_template);
    job.params = std::move(params);
    return job;
  }

  void unknown_template(Node& wanted) {
    std::vector<std::string> names;
    for (const auto& [name, node] : template_nodes_) names.push_back(name);
    std::string near = source_.suggestion(wanted.text, names);
    source_.report(wanted, "E040", fmt::format("there is no template `{}`", wanted.text),
                   near.empty() ? "templates stand in the workflow's `templates`" : std::move(near));
  }

  model::Named<model::Value> params_of(const model::Named<model::InputDefinition>& declared, Node& use, Node* with) {
    model::Named<model::Value> params;
    std::vector<std::string> names;
    for (const auto& [name, param] : declared) {
      names.push_back(name);
      Node* given = nullptr;
      for (const Node::Entry& entry : with == nullptr ? std::vector<Node::Entry>() : with->entries) {
        if (entry.key->text == name) given = entry.value;
      }
      std::optional<model::Value> value;
      if (given != nullptr) {
        if (!given->bad) value = values_.value_for(param, *given, "E042");
      } else if (param.default_value && !param.required) {
        value = param.default_value;
      } else {
        source_.report_at(values_.place(use), "E042", fmt::format("template `{}` needs `{}`", use.text, name),
                          fmt::format("add `with: {{{}: ...}}`", name));
      }
      params.emplace_back(name, value.value_or(model::Value{std::string()}));
    }
    if (with == nullptr) return params;
    for (const Node::Entry& entry : with->entries) {
      if (std::ranges::find(names, entry.key->text) != names.end()) continue;
      source_.report(*entry.key, "E041", fmt::format("template `{}` has no parameter `{}`", use.text, entry.key->text),
                     source_.suggestion(entry.key->text, names));
    }
    return params;
  }

  Source& source_;
  Values values_;
  JobBuilder jobs_;
  Node* defaults_ = nullptr;
  std::map<std::string, Node*> template_nodes_;
};

void check_top(Source& source, Node* root) {
  if (root == nullptr || root->kind != Node::Kind::mapping) {
    return source.report_at({source.file(), 1, 1}, "E010", "the file has neither `workflow` nor `job` at the top",
                            "begin with `workflow:` or `job:`");
  }
  const Node* first[2] = {nullptr, nullptr};
  for (const Node::Entry& entry : root->entries) {
    if (entry.key->text == "workflow") first[0] = entry.key;
    if (entry.key->text == "job") first[1] = entry.key;
  }
  if (first[0] == nullptr && first[1] == nullptr) {
    const bool has_jobs =
        std::ranges::any_of(root->entries, [](const Node::Entry& entry) { return entry.key->text == "jobs"; });
    root->bad = true;  // each of its keys would be called unknown, with a hint that contradicts this one
    source.report_at(source.place(*root), "E010", "the file has neither `workflow` nor `job` at the top",
                     has_jobs ? "put all of it below `workflow:`, as `workflow: {jobs: [...]}`"
                              : "begin with `workflow:` or `job:`");
  } else if (first[0] != nullptr && root->entries.size() > 1) {
    for (const Node::Entry& entry : root->entries) {
      if (entry.key == first[0] || find_key(kFileContext, entry.key->text) == nullptr) continue;
      source.report(*entry.key, "E010", fmt::format("`{}` cannot stand beside `workflow`", entry.key->text),
                    entry.key == first[1] ? "a file holds one of them" : "it belongs into it");
    }
  }
}

std::optional<model::Workflow> built(Source& source, Document& document, Node& root) {
  if (root.kind != Node::Kind::mapping || root.bad) return std::nullopt;
  validate(source, root, kFileShape, "the file");
  WorkflowBuilder builder(source, document);
  model::Workflow workflow = builder.build(root);
  fill_presets(workflow, {});
  check_workflow(source, workflow);
  if (has_errors(source.problems())) return std::nullopt;
  return workflow;
}

void finish(ReadResult& result, Source& source) {
  if (has_errors(source.problems())) result.workflow.reset();
  result.problems = std::move(source.problems());
  result.more_problems = source.dropped();
  sort_problems(result.problems);
}

}  // namespace

ReadResult read_workflow(std::string_view text, const std::string& file_name, const ReadOptions& options) {
  Source source(text, file_name);
  ReadResult result;
  const auto document = parse_document(source);
  // Of a file that cannot be read at all, its place still says whose it is.
  result.dialect = dialect_of(file_name, document != nullptr ? document->root : nullptr);
  if (document != nullptr) {
    // Holds nodes of other files until the workflow is built.
    Translation translation = translate(result.dialect, source, *document, options);
    if (result.dialect == Dialect::registry) {
      source.report_at({file_name, 1, 1}, "E079", "a registry of projects is no workflow",
                       "give it by --registry FILE");
    } else if (result.dialect == Dialect::slipway) {
      check_top(source, translation.root);
    }
    const bool is_sound = result.dialect == Dialect::slipway || !has_errors(source.problems());
    if (is_sound && translation.root != nullptr) result.workflow = built(source, *document, *translation.root);
    if (result.workflow && result.dialect == Dialect::reactorcide_job)
      result.workflow->group = "Reactorcide Jobs, repo: {repo}";
    result.secret_values = std::move(translation.secret_values);
  }
  finish(result, source);
  return result;
}

Result<std::vector<ReadResult>> read_registry(std::string_view text, const std::string& file_name,
                                              const ProjectQuery& query) {
  Source source(text, file_name);
  std::vector<ReadResult> results;
  const auto document = parse_document(source);
  if (document != nullptr && check_foreign(source, *document, kRegistryFile) && !has_errors(source.problems())) {
    SW_TRY(const std::vector<RegistryProject> projects, find_projects(*document->root, query));
    for (const RegistryProject& project : projects) {
      for (Node* job : project.jobs) {
        Translation translation = translate_registry_job(source, *document, *job, {});
        ReadResult& result = results.emplace_back();
        result.dialect = Dialect::registry;
        result.workflow = built(source, *document, *translation.root);
        if (result.workflow) result.workflow->group = project.name;
      }
    }
  }
  if (results.empty()) results.emplace_back().dialect = Dialect::registry;
  finish(results.front(), source);
  if (has_errors(results.front().problems)) {
    for (ReadResult& result : results) result.workflow.reset();
  }
  return results;
}

bool is_registry(std::string_view text) {
  Source source(text, "");
  const auto document = parse_document(source);
  return document != nullptr && dialect_of("", document->root) == Dialect::registry;
}

bool is_definition_file(std::string_view path) {
  const bool yaml = path.ends_with(".yaml") || path.ends_with(".yml");
  for (const std::string_view directory :
       {".slipway/workflows/", ".slipway/jobs/", ".reactorcide/workflows/", ".reactorcide/jobs/"}) {
    if (!path.starts_with(directory)) continue;
    const std::string_view name = path.substr(directory.size());
    return yaml && name.find('/') == std::string_view::npos && !name.starts_with('.');
  }
  return false;
}

}  // namespace slipway::definition
