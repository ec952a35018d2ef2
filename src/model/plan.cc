#include "model/plan.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "base/text.h"
#include "model/instances.h"

namespace slipway::model {

namespace {

std::string at(const Place& place) {
  return place.line == 0 ? std::string() : fmt::format("{}:{}:{}: ", place.file, place.line, place.column);
}

using DefinitionIndex = std::unordered_map<std::string, std::size_t>;

std::string unknown_job(const Workflow& workflow, const std::string& name) {
  std::vector<std::string> names;
  for (const JobDefinition& job : workflow.jobs) names.push_back(job.name);
  const auto near = nearest(name, names);
  return fmt::format("there is no job `{}`{}", printable(name, Colour::strip),
                     near ? fmt::format(": did you mean `{}`?", *near) : ": there is " + join(names, ", "));
}

/// `test` of `test (gcc, 17)`; a definition's own name wins.
std::string definition_name(const DefinitionIndex& index, const std::string& name) {
  if (index.contains(name)) return name;
  const std::size_t bracket = name.find(" (");
  return bracket == std::string::npos ? name : name.substr(0, bracket);
}

/// Which definitions take part: all, or those asked for, with what they depend on.
Result<std::vector<bool>> selection(const Run& run, const DefinitionIndex& index) {
  const Workflow& workflow = *run.workflow;
  std::vector<bool> selected(workflow.jobs.size(), run.options.only_jobs.empty());
  std::vector<std::size_t> open;
  for (const std::string& name : run.options.only_jobs) {
    const auto found = index.find(definition_name(index, name));
    if (found == index.end()) return fail(ErrorKind::invalid, unknown_job(workflow, name));
    open.push_back(found->second);
  }
  while (!open.empty()) {
    const std::size_t job = open.back();
    open.pop_back();
    if (selected[job]) continue;
    selected[job] = true;
    if (!run.options.with_dependencies) continue;
    for (const std::string& name : workflow.jobs[job].depends_on) {
      if (const auto found = index.find(name); found != index.end()) open.push_back(found->second);
    }
  }
  return selected;
}

/// Definitions so that each stands after what it depends on, in file order otherwise.
Result<std::vector<std::size_t>> ordered(const Workflow& workflow, const DefinitionIndex& index) {
  std::vector<std::size_t> open_dependencies(workflow.jobs.size(), 0), order;
  std::vector<std::vector<std::size_t>> dependents(workflow.jobs.size());
  for (std::size_t job = 0; job < workflow.jobs.size(); ++job) {
    const JobDefinition& definition = workflow.jobs[job];
    for (const std::string& name : definition.depends_on) {
      const auto found = index.find(name);
      if (found == index.end()) {
        return fail(ErrorKind::invalid, at(definition.place) +
                                            fmt::format("job `{}` depends on `{}`: ", definition.name, name) +
                                            unknown_job(workflow, name));
      }
      dependents[found->second].push_back(job);
      ++open_dependencies[job];
    }
    if (open_dependencies[job] == 0) order.push_back(job);
  }
  for (std::size_t next = 0; next < order.size(); ++next) {
    for (const std::size_t dependent : dependents[order[next]]) {
      if (--open_dependencies[dependent] == 0) order.push_back(dependent);
    }
  }
  if (order.size() == workflow.jobs.size()) return order;
  const auto stuck =
      std::find_if(open_dependencies.begin(), open_dependencies.end(), [](std::size_t n) { return n > 0; });
  const JobDefinition& definition = workflow.jobs[static_cast<std::size_t>(stuck - open_dependencies.begin())];
  return fail(ErrorKind::invalid,
              at(definition.place) + fmt::format("job `{}` depends on itself by way of others", definition.name));
}

/// Inputs of the event, and of other events their defaults: an expression may name any input that `on` declares.
Result<void> take_inputs(Run& run) {
  SW_TRY(run.inputs, check_inputs(declared_inputs(*run.workflow, run.event.kind), run.event.inputs));
  for (const Trigger& trigger : run.workflow->on) {
    for (const auto& [name, input] : trigger.inputs) {
      const bool known =
          std::any_of(run.inputs.begin(), run.inputs.end(), [&](const auto& i) { return i.first == name; });
      if (!known) run.inputs.emplace_back(name, input.default_value.value_or(Value{}));
    }
  }
  return {};
}

Result<void> check_matrix_filter(const Run& run) {
  for (const auto& [key, value] : run.options.only_matrix) {
    bool known = false, found = false;
    for (const Group& group : run.groups) {
      const auto& matrix = group.definition->matrix;
      if (!matrix) continue;
      SW_TRY(const auto all, combinations(*matrix));
      for (const Combination& combination : all) {
        for (const auto& [name, candidate] : combination) {
          known = known || name == key;
          found = found || (name == key && to_text(candidate).value_or(std::string()) == value);
        }
      }
    }
    if (!known)
      return fail(ErrorKind::invalid, fmt::format("no matrix has the axis `{}`", printable(key, Colour::strip)));
    if (!found)
      return fail(ErrorKind::invalid, fmt::format("no job has `{}` = `{}`", key, printable(value, Colour::strip)));
  }
  return {};
}

/// What runs beside the job, and what that means for its source.
void note_source_steps(Run& run, const Group& group) {
  Trace because;
  for (const StepDefinition& step : group.definition->steps) {
    if (!step.run_as || step.run_as->kind != RunAs::Kind::source) continue;
    because.push_back({fmt::format("step `{}` says run_as: source", step.name), "it runs beside the job"});
  }
  if (because.empty()) return;
  because.push_back({"job code", "reads the source, neither writes nor executes it"});
  run.decisions.push_back({group.name, "the source is apart", std::move(because)});
}

/// The instances of one group, where they can be known; notes how many and why.
Result<void> plan_instances(Run& run, GroupIndex index) {
  Group& group = run.groups[index];
  const JobDefinition& definition = *group.definition;
  note_source_steps(run, group);
  if (!is_expanded_at_plan_time(definition)) {
    group.expands_later = true;
    run.decisions.push_back({group.name, "instances", {{"for_each", "known when what it depends on has ended"}}});
    return {};
  }
  std::optional<ValueList> items;
  if (definition.for_each) {
    Job any;
    any.group = index;
    SW_TRY(const Scope scope, scope_for(run, any, Purpose::preview));
    auto found = items_of(*definition.for_each, scope);
    if (!found)
      return wrap(std::move(found).error(), at(definition.for_each->place) + fmt::format("job `{}`", definition.name));
    items = std::move(*found);
  }
  auto added = add_instances(run, index, items);
  if (!added) {
    const Place& place = definition.matrix ? definition.matrix->place : definition.place;
    return fail(added.error().kind, at(place) + added.error().what);
  }
  if (!definition.matrix && !definition.for_each) return {};
  if (definition.matrix && added->empty() && (!items || !items->empty())) {
    return fail(ErrorKind::invalid, at(definition.matrix->place) +
                                        fmt::format("nothing is left of the matrix of job `{}`", definition.name));
  }
  Trace because;
  if (definition.matrix)
    because.push_back({"matrix", fmt::format("{} instance{}", added->size(), added->size() == 1 ? "" : "s")});
  if (items) because.push_back({"for_each", fmt::format("{} item{}", items->size(), items->size() == 1 ? "" : "s")});
  run.decisions.push_back({group.name, "instances", std::move(because)});
  return {};
}

/// `--job "test (gcc, 17)"`: of that definition only that instance stays.
Result<void> keep_named_instances(Run& run, const DefinitionIndex& index) {
  std::unordered_set<std::string> wanted;
  std::unordered_set<std::string> narrowed;
  for (const std::string& name : run.options.only_jobs) {
    if (index.contains(name)) continue;
    if (!run.job_by_name.contains(name)) {
      return fail(ErrorKind::invalid, fmt::format("there is no job `{}`", printable(name, Colour::strip)));
    }
    wanted.insert(name);
    narrowed.insert(definition_name(index, name));
  }
  if (wanted.empty()) return {};
  std::vector<Job> kept;
  for (Job& job : run.jobs) {
    if (!narrowed.contains(run.groups[job.group].name) || wanted.contains(job.name)) kept.push_back(std::move(job));
  }
  run.jobs = std::move(kept);
  run.job_by_name.clear();
  for (Group& group : run.groups) {
    group.jobs.clear();
    group.open = 0;
  }
  for (JobIndex i = 0; i < run.jobs.size(); ++i) {
    run.job_by_name.emplace(run.jobs[i].name, i);
    run.groups[run.jobs[i].group].jobs.push_back(i);
    ++run.groups[run.jobs[i].group].open;
  }
  return {};
}

}  // namespace

Result<Run> plan(PlanRequest request) {
  Run run;
  run.id = std::move(request.id);
  run.workflow = std::move(request.workflow);
  run.event = std::move(request.event);
  run.options = std::move(request.options);
  run.facts = std::move(request.facts);
  run.created = request.now;
  SW_CHECK(take_inputs(run));

  DefinitionIndex index;
  for (std::size_t i = 0; i < run.workflow->jobs.size(); ++i) {
    const JobDefinition& definition = run.workflow->jobs[i];
    if (!index.emplace(definition.name, i).second) {
      return fail(ErrorKind::invalid, at(definition.place) + fmt::format("two jobs are named `{}`", definition.name));
    }
  }
  SW_TRY(const auto selected, selection(run, index));
  SW_TRY(const auto order, ordered(*run.workflow, index));
  for (const std::size_t job : order) {
    if (!selected[job]) continue;
    // Shares the workflow's life instead of copying the definition.
    std::shared_ptr<const JobDefinition> definition(run.workflow, &run.workflow->jobs[job]);
    std::vector<std::string> depends_on = definition->depends_on;
    std::erase_if(depends_on, [&](const std::string& name) { return !selected[index.at(name)]; });
    std::string name = definition->name;
    SW_CHECK(add_group(run, std::move(definition), std::move(name), std::move(depends_on)));
  }
  SW_CHECK(check_matrix_filter(run));
  // Instances in file order, so that lists of jobs read like the file.
  for (const JobDefinition& definition : run.workflow->jobs) {
    if (const auto found = run.group_by_name.find(definition.name); found != run.group_by_name.end()) {
      SW_CHECK(plan_instances(run, found->second));
    }
  }
  SW_CHECK(keep_named_instances(run, index));
  return run;
}

}  // namespace slipway::model
