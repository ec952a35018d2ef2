#include "model/plan.h"
#include "base/text.h"
#include "cli/plan_parts.h"
#include "cli/planned.h"
#include "cli/resolved.h"
#include "cli/terminal_text.h"
#include "wire/job_spec_json.h"

namespace slipway::cli {

namespace {

void append_jobs(std::string& text, const model::Run& run, const Style& style) {
  std::size_t width = 0;
  for (const model::Job& job : run.jobs) width = std::max(width, display_width(shown(job.name)));
  for (std::size_t i = 0; i < run.jobs.size(); ++i) {
    const model::Job& job = run.jobs[i];
    const Prospect prospect = prospect_of(run, static_cast<model::JobIndex>(i));
    const Mark mark = !prospect.runs ? Mark::pending : *prospect.runs ? Mark::succeeded : Mark::skipped;
    std::string name = shown(job.name);
    name.append(std::min(width, std::size_t{40}) - std::min({width, display_width(name), std::size_t{40}}), ' ');
    text += fmt::format("  {} {}  {}", symbol(mark, style.colour), name, shown(prospect.text));
    if (!job.reason.empty())
      text += fmt::format(": {}", shown(job.reason));
    else if (mark == Mark::skipped && !prospect.trace.empty()) {
      text += fmt::format(": {} -> {}", shown(prospect.trace.back().text), shown(prospect.trace.back().outcome));
    }
    text += '\n';
  }
  for (const model::Group& group : run.groups) {
    if (group.expands_later && group.jobs.empty()) {
      text += fmt::format("  {} {}  one for each item, known once {} has ended\n", symbol(Mark::pending, style.colour),
                          shown(group.name), group.depends_on.empty() ? "the run" : "what it depends on");
    }
  }
}

/// Jobs that are in no plan until a job asks for them.
void append_templates(std::string& text, const model::Run& run) {
  if (run.workflow->templates.empty()) return;
  std::vector<std::string> names;
  for (const auto& [name, one] : run.workflow->templates) names.push_back(shown(name));
  text += fmt::format("    jobs may ask for {}, which {}\n", join(names, ", "),
                      run.options.follow_triggers ? "joins the run" : "is run by --follow alone");
}

void plan_json(JsonWriter& json, const Planned& planned) {
  json.begin_object().field("workflow", planned.workflow->name).field("file", planned.workflow->file);
  json.field("starts", planned.run.has_value());
  trace_array(json, "because", planned.start.because);
  json.begin_array("jobs");
  for (std::size_t i = 0; planned.run && i < planned.run->jobs.size(); ++i) {
    const model::Job& job = planned.run->jobs[i];
    const Prospect prospect = prospect_of(*planned.run, static_cast<model::JobIndex>(i));
    json.begin_object().field("name", job.name).field("definition", planned.run->groups[job.group].name);
    json.raw("runs", prospect.runs ? (*prospect.runs ? "true" : "false") : "null");
    trace_array(json, "because", prospect.trace);
    json.begin_array("depends_on");
    for (const std::string& name : dependencies_of(*planned.run, planned.run->groups[job.group])) json.item(name);
    json.end_array().end_object();
  }
  json.end_array().begin_array("templates");
  for (const auto& [name, one] : planned.workflow->templates) json.item(name);
  json.end_array();
  json.raw("follows_triggers", planned.run && planned.run->options.follow_triggers ? "true" : "false").end_object();
}

Result<std::string> show_resolved(const std::vector<Planned>& planned, const Style& style) {
  std::string text = style.json ? "[" : "";
  for (const Planned& one : planned) {
    if (!one.run) continue;
    if (!style.json) text += fmt::format("# {} ({})\njobs:\n", shown(one.workflow->name), shown(one.workflow->file));
    for (std::size_t i = 0; i < one.run->jobs.size(); ++i) {
      const auto index = static_cast<model::JobIndex>(i);
      auto spec = model::resolve(*one.run, index, AttemptId(), 1, model::Purpose::preview);
      if (!spec) return wrap(std::move(spec).error(), "job " + one.run->jobs[i].name);
      if (style.json)
        text += (text.size() > 1 ? ",\n" : "") + wire::to_json(*spec);
      else
        text += resolved_yaml(*spec, *one.run->groups[one.run->jobs[i].group].definition, one.known_images);
    }
  }
  return text + (style.json ? "]\n" : "");
}

}  // namespace

std::string shown(std::string_view text) { return printable(text, Colour::strip); }

void append_trace(std::string& text, const model::Trace& trace, std::string_view indent) {
  for (const model::TraceEntry& entry : trace)
    text += fmt::format("{}{} -> {}\n", indent, shown(entry.text), shown(entry.outcome));
}

void trace_array(JsonWriter& json, std::string_view key, const model::Trace& trace) {
  json.begin_array(key);
  for (const model::TraceEntry& entry : trace)
    json.begin_object().field("text", entry.text).field("outcome", entry.outcome).end_object();
  json.end_array();
}

std::vector<std::string> dependencies_of(const model::Run& run, const model::Group& group) {
  std::vector<std::string> names;
  for (const model::GroupIndex index : group.depends_on) names.push_back(run.groups[index].name);
  return names;
}

Prospect prospect_of(const model::Run& run, model::JobIndex index) {
  const model::Job& job = run.jobs[index];
  const model::Group& group = run.groups[job.group];
  Prospect prospect;
  if (run.options.kept && run.options.kept->jobs.contains(job.name)) {
    prospect.runs = false;
    prospect.text = "kept from " + run.options.kept->from;
    return prospect;
  }
  if (job.state == model::JobState::finished)
    prospect.runs = false;
  else
    prospect.runs = model::foreseen(run, index, prospect.trace);
  const model::ExpressionPtr& condition = group.definition->condition;
  const bool holds = prospect.runs.value_or(!condition);  // what the job says itself
  const bool asks_success = !condition || !model::calls_status_function(*condition);
  const bool runs_after = holds && asks_success && !group.depends_on.empty();
  if (holds) prospect.runs = true;
  if (runs_after) prospect.runs.reset();
  if (prospect.runs) {
    prospect.text = *prospect.runs ? "runs" : "skipped";
    return prospect;
  }
  const std::vector<std::string> names = dependencies_of(run, group);
  prospect.text =
      fmt::format("{} when {} {} {}", runs_after ? "runs" : "decided", names.empty() ? "it" : join(names, ", "),
                  names.size() > 1 ? "have" : "has", runs_after ? "succeeded" : "ended");
  return prospect;
}

Result<std::string> show_plan(const std::vector<Planned>& planned, const PlanOptions& options, const Style& style) {
  if (options.resolved) return show_resolved(planned, style);
  std::string text;
  if (style.json) {
    JsonWriter json(text);
    json.begin_object().begin_array("workflows");
    for (const Planned& one : planned) plan_json(json, one);
    json.end_array().end_object();
    return text + "\n";
  }
  for (const Planned& one : planned) {
    text += fmt::format("{} {}{}{} ({}) {}\n", symbol(one.run ? Mark::succeeded : Mark::skipped, style.colour),
                        bold(style.colour), shown(one.workflow->name), reset(style.colour), shown(one.workflow->file),
                        one.run ? "starts" : "does not start");
    append_trace(text, one.start.because, "    ");
    if (one.run) {
      append_jobs(text, *one.run, style);
      append_templates(text, *one.run);
    }
  }
  if (planned.empty()) text = "There is nothing to plan: no workflow was found.\n";
  return text;
}

}  // namespace slipway::cli
