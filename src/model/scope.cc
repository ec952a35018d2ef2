#include <algorithm>

#include <fmt/format.h>

#include "base/short_sha.h"
#include "model/instances.h"

namespace slipway::model {

namespace {

void put(Scope& scope, std::string name, std::string text) {
  scope.values.insert_or_assign(std::move(name), Value{std::move(text)});
}

void put_event(Scope& scope, const Event& event) {
  put(scope, "branch", event.branch);
  put(scope, "tag", event.tag);
  put(scope, "event", std::string(to_string(event.kind)));
  put(scope, "sha", event.sha);
  put(scope, "short_sha", std::string(short_sha(event.sha)));
  put(scope, "default_branch", event.default_branch);
  put(scope, "actor", event.actor);
  put(scope, "repo", event.repo);
  scope.values["pr.fork"] = Value{event.pull_request && event.pull_request->fork};
  if (event.pull_request) {
    const PullRequest& request = *event.pull_request;
    scope.values["pr.number"] = Value{static_cast<double>(request.number)};
    put(scope, "pr.title", request.title);
    put(scope, "pr.base", request.base);
    put(scope, "pr.head", request.head);
  } else {
    // Null and not missing: `pr.base == "main"` is a fair question about a push.
    for (const char* name : {"pr.number", "pr.title", "pr.base", "pr.head"}) scope.values[name] = Value{};
  }
}

/// known: what cannot be expanded yet is left out.
enum class Wanted { all, known };

Result<void> put_env(Scope& scope, const TemplateMap& env, Wanted wanted = Wanted::all) {
  for (const auto& [name, text] : env) {
    auto value = expand(text, scope);
    if (!value && wanted == Wanted::known) continue;
    if (!value) return wrap(std::move(value).error(), "env " + name);
    put(scope, "env." + name, std::move(*value));
  }
  return {};
}

void put_matrix(Scope& scope, const Group& group, const Job& job) {
  if (const auto& matrix = group.definition->matrix) {
    // A key that only some combinations have is null in the others.
    for (const auto& include : matrix->include) {
      for (const auto& [key, value] : include) scope.values.try_emplace("matrix." + key, Value{});
    }
    for (const auto& [axis, values] : matrix->axes) scope.values.try_emplace("matrix." + axis, Value{});
  }
  for (const auto& [key, value] : job.matrix) scope.values.insert_or_assign("matrix." + key, value);
}

void append_quoted(std::string& json, std::string_view text) {
  json += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\')
      json += std::string("\\") + c;
    else if (static_cast<unsigned char>(c) < 0x20)
      json += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      json += c;
  }
  json += '"';
}

/// `vars`: what the workflow declares and jobs have set, and as `JOB.NAME` the outputs of what the job depends on.
std::string vars_json(const Run& run, const Group& group) {
  std::map<std::string, std::string> all = run.vars;
  for (const auto& [name, value] : run.workflow->vars) all.emplace(name, to_text(value).value_or(""));
  for (const GroupIndex index : group.depends_on) {
    for (const JobIndex job : run.groups[index].jobs) {
      for (const auto& [name, value] : run.jobs[job].outputs) all.emplace(run.jobs[job].name + "." + name, value);
    }
  }
  std::string json = "{";
  for (const auto& [name, value] : all) {
    if (json.size() > 1) json += ',';
    append_quoted(json, name);
    json += ':';
    append_quoted(json, value);
  }
  return json + "}";
}

/// Of several instances that set the same output, the last one in the order of instances holds.
void put_outputs(Scope& scope, const Run& run, const Group& group, Purpose purpose) {
  for (const GroupIndex index : group.depends_on) {
    const Group& dependency = run.groups[index];
    const bool open = purpose == Purpose::preview && !dependency.ended;
    if (open) scope.values[open_outputs(dependency.name)] = Value{};
    for (const std::string& name : dependency.definition->outputs) {
      if (!open) scope.values[fmt::format("outputs.{}.{}", dependency.name, name)] = Value{};
    }
    for (const JobIndex job : dependency.jobs) {
      for (const auto& [name, value] : run.jobs[job].outputs) {
        put(scope, fmt::format("outputs.{}.{}", dependency.name, name), value);
      }
    }
  }
}

}  // namespace

Result<Scope> scope_of(const Run& run) {
  Scope scope;
  scope.facts = run.facts.get();
  scope.cancelled = run.cancelling.has_value();
  put_event(scope, run.event);
  put(scope, "run.id", run.id.value);
  scope.values["run.number"] = Value{static_cast<double>(run.number)};
  for (const auto& [name, value] : run.workflow->vars) scope.values.insert_or_assign("vars." + name, value);
  for (const auto& [name, value] : run.vars) put(scope, "vars." + name, value);
  for (const auto& [name, value] : run.inputs) scope.values.insert_or_assign("inputs." + name, value);
  SW_CHECK(put_env(scope, run.workflow->env));
  return scope;
}

Result<Scope> scope_of(const Run& run, JobIndex job, Purpose purpose) { return scope_for(run, run.jobs[job], purpose); }

Result<Scope> scope_for(const Run& run, const Job& job, Purpose purpose) {
  const Group& group = run.groups[job.group];
  const JobDefinition& definition = *group.definition;
  SW_TRY(Scope scope, scope_of(run));
  scope.values["run.attempt"] = Value{static_cast<double>(std::max(1, job.attempts))};
  put(scope, "job.name", job.name);
  put(scope, "vars", vars_json(run, group));
  put_matrix(scope, group, job);
  for (const auto& [name, value] : definition.params) scope.values.insert_or_assign("params." + name, value);
  if (job.item) scope.values["item"] = *job.item;
  put_outputs(scope, run, group, purpose);
  // Before its list is known, a job's env may ask for an item that is not there yet.
  const Wanted wanted = definition.for_each && !job.item ? Wanted::known : Wanted::all;
  for (const std::string& preset : definition.presets) {
    const auto at = run.workflow->presets.find(preset);
    if (at == run.workflow->presets.end())
      return fail(ErrorKind::invalid, fmt::format("there is no preset `{}`", preset));
    SW_CHECK(put_env(scope, at->second, wanted));
  }
  if (job.item && definition.for_each) {
    auto text = to_text(*job.item);
    if (!text) return wrap(std::move(text).error(), "for_each");
    put(scope, "env." + definition.for_each->as, std::move(*text));
  }
  SW_CHECK(put_env(scope, definition.env, wanted));
  for (const auto& [name, value] : run.options.env) put(scope, "env." + name, value);
  return scope;
}

}  // namespace slipway::model
