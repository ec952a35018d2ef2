#include "base/text.h"
#include "cli/plan_parts.h"
#include "cli/planned.h"
#include "cli/terminal_text.h"

namespace slipway::cli {

namespace {

std::string explain_json(const Planned& planned, model::JobIndex index) {
  const model::Run& run = *planned.run;
  const model::Job& job = run.jobs[index];
  const Prospect prospect = prospect_of(run, index);
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("workflow", planned.workflow->name).field("job", job.name);
  json.raw("runs", prospect.runs ? (*prospect.runs ? "true" : "false") : "null");
  trace_array(json, "workflow_starts", planned.start.because);
  trace_array(json, "condition", prospect.trace);
  json.begin_array("depends_on");
  for (const std::string& name : dependencies_of(run, run.groups[job.group])) json.item(name);
  json.end_array().begin_array("decisions");
  for (const model::Decision& decision : run.decisions) {
    if (decision.job != job.name && decision.job != run.groups[job.group].name) continue;
    json.begin_object().field("what", decision.what);
    trace_array(json, "because", decision.because);
    json.end_object();
  }
  json.end_array().end_object();
  return text + "\n";
}

// Its instances are not known yet.
std::string explain_later(const Planned& planned, const model::Group& group, const Style& style) {
  const std::vector<std::string> dependencies = dependencies_of(*planned.run, group);
  const auto& condition = group.definition->condition;
  std::string text;
  if (style.json) {
    JsonWriter json(text);
    json.begin_object().field("workflow", planned.workflow->name).field("job", group.name).raw("runs", "null");
    trace_array(json, "workflow_starts", planned.start.because);
    trace_array(json, "condition", {});
    json.begin_array("depends_on");
    for (const std::string& name : dependencies) json.item(name);
    json.end_array().begin_array("decisions").end_array().end_object();
    return text + "\n";
  }
  text = fmt::format("{} {}{}{}: one for each item of a list that is known later\n",
                     symbol(Mark::pending, style.colour), bold(style.colour), shown(group.name), reset(style.colour));
  text += fmt::format("  workflow {} starts\n", shown(planned.workflow->name));
  append_trace(text, planned.start.because, "    ");
  text += fmt::format("  it is decided when {} ended\n",
                      shown(join(dependencies, ", ")) + (dependencies.size() == 1 ? " has" : " have"));
  return text + fmt::format("  condition: {}\n", condition ? shown(condition->text) : "none said: all_success");
}

std::string explain_text(const Planned& planned, model::JobIndex index, const Style& style) {
  const model::Run& run = *planned.run;
  const model::Job& job = run.jobs[index];
  const Prospect prospect = prospect_of(run, index);
  const Mark mark = !prospect.runs ? Mark::pending : *prospect.runs ? Mark::succeeded : Mark::skipped;
  std::string text = fmt::format("{} {}{}{}: {}\n", symbol(mark, style.colour), bold(style.colour), shown(job.name),
                                 reset(style.colour), prospect.text);
  text += fmt::format("  workflow {} starts\n", shown(planned.workflow->name));
  append_trace(text, planned.start.because, "    ");
  const std::vector<std::string> dependencies = dependencies_of(run, run.groups[job.group]);
  text += dependencies.empty()
              ? "  it depends on nothing\n"
              : fmt::format("  it is decided when {} ended\n",
                            shown(join(dependencies, ", ")) + (dependencies.size() == 1 ? " has" : " have"));
  const auto& condition = run.groups[job.group].definition->condition;
  text += fmt::format("  condition: {}\n", condition ? shown(condition->text) : "none said: all_success");
  append_trace(text, prospect.trace, "    ");
  for (const model::Decision& decision : run.decisions) {
    if (decision.job != job.name && decision.job != run.groups[job.group].name) continue;
    text += fmt::format("  {}\n", shown(decision.what));
    append_trace(text, decision.because, "    ");
  }
  return text;
}

}  // namespace

Result<std::string> explain_planned(const std::vector<Planned>& planned, const std::string& job, const Style& style) {
  std::string text;
  std::vector<std::string> names;
  for (const Planned& one : planned) {
    if (!one.run) {
      for (const model::JobDefinition& definition : one.workflow->jobs) {
        names.push_back(definition.name);
        if (definition.name != job || style.json) continue;
        text += fmt::format("{} {}: workflow {} does not start\n", symbol(Mark::skipped, style.colour), shown(job),
                            shown(one.workflow->name));
        append_trace(text, one.start.because, "    ");
      }
      continue;
    }
    for (std::size_t i = 0; i < one.run->jobs.size(); ++i) {
      const model::Job& instance = one.run->jobs[i];
      const std::string& group = one.run->groups[instance.group].name;
      names.push_back(instance.name);
      names.push_back(group);
      if (instance.name != job && group != job) continue;
      text += style.json ? explain_json(one, static_cast<model::JobIndex>(i))
                         : explain_text(one, static_cast<model::JobIndex>(i), style);
    }
  }
  for (const Planned& one : planned) {
    if (!one.run) continue;
    for (const model::Group& group : one.run->groups) {
      if (!group.expands_later) continue;
      names.push_back(group.name);
      if (group.name == job) text += explain_later(one, group, style);
    }
  }
  if (!text.empty()) return text;
  const auto near = nearest(job, names);
  return fail(ErrorKind::not_found,
              fmt::format("there is no job `{}`{}", job, near ? fmt::format(", did you mean `{}`?", *near) : ""));
}

}  // namespace slipway::cli
