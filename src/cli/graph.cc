#include "base/text.h"
#include "cli/plan_parts.h"
#include "cli/planned.h"

namespace slipway::cli {

namespace {

// The length of the longest way from a group without dependencies. A plan has no cycles.
std::vector<std::size_t> levels_of(const model::Run& run) {
  std::vector<std::size_t> levels(run.groups.size(), 0);
  std::vector<std::size_t> open(run.groups.size(), 0);
  std::vector<model::GroupIndex> ready;
  for (std::size_t i = 0; i < run.groups.size(); ++i) {
    open[i] = run.groups[i].depends_on.size();
    if (open[i] == 0) ready.push_back(static_cast<model::GroupIndex>(i));
  }
  for (std::size_t next = 0; next < ready.size(); ++next) {
    for (const model::GroupIndex dependent : run.groups[ready[next]].dependents) {
      levels[dependent] = std::max(levels[dependent], levels[ready[next]] + 1);
      if (--open[dependent] == 0) ready.push_back(dependent);
    }
  }
  return levels;
}

std::string count_of(const model::Group& group) {
  if (group.expands_later && group.jobs.empty()) return " x?";
  return group.jobs.size() == 1 ? "" : fmt::format(" x{}", group.jobs.size());
}

std::string graph_text(const Planned& planned) {
  const model::Run& run = *planned.run;
  const std::vector<std::size_t> levels = levels_of(run);
  std::vector<std::size_t> order(run.groups.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](std::size_t group) { return levels[group]; });
  std::string text = printable(planned.workflow->name, Colour::strip) + "\n";
  for (const std::size_t i : order) {
    const model::Group& group = run.groups[i];
    const std::vector<std::string> dependencies = dependencies_of(run, group);
    text += fmt::format("{:{}}{}{}{}\n", "", 2 * (levels[i] + 1), printable(group.name, Colour::strip), count_of(group),
                        dependencies.empty() ? "" : printable(" <- " + join(dependencies, ", "), Colour::strip));
  }
  return text;
}

void append_dot(std::string& text, const Planned& planned, std::size_t cluster) {
  const model::Run& run = *planned.run;
  const auto node = [&](std::size_t group) { return fmt::format("w{}_{}", cluster, group); };
  text += fmt::format("  subgraph cluster_{} {{\n    label=", cluster);
  append_json_text(text, planned.workflow->name);
  text += ";\n";
  for (std::size_t i = 0; i < run.groups.size(); ++i) {
    text += fmt::format("    {} [label=", node(i));
    append_json_text(text, run.groups[i].name + count_of(run.groups[i]));
    text += "];\n";
  }
  for (std::size_t i = 0; i < run.groups.size(); ++i) {
    for (const model::GroupIndex from : run.groups[i].depends_on)
      text += fmt::format("    {} -> {};\n", node(from), node(i));
  }
  text += "  }\n";
}

void append_json(JsonWriter& json, const Planned& planned) {
  const model::Run& run = *planned.run;
  const std::vector<std::size_t> levels = levels_of(run);
  json.begin_object()
      .field("workflow", planned.workflow->name)
      .field("file", planned.workflow->file)
      .begin_array("jobs");
  for (std::size_t i = 0; i < run.groups.size(); ++i) {
    json.begin_object().field("name", run.groups[i].name).field("level", static_cast<std::uint64_t>(levels[i]));
    json.begin_array("depends_on");
    for (const std::string& name : dependencies_of(run, run.groups[i])) json.item(name);
    json.end_array().begin_array("instances");
    for (const model::JobIndex job : run.groups[i].jobs) json.item(run.jobs[job].name);
    json.end_array().end_object();
  }
  json.end_array().end_object();
}

}  // namespace

std::string show_graph(const std::vector<Planned>& planned, Format format) {
  std::string text;
  std::size_t cluster = 0;
  JsonWriter json(text);
  if (format == Format::dot) text += "digraph slipway {\n  rankdir=LR;\n  node [shape=box];\n";
  if (format == Format::json) json.begin_object().begin_array("workflows");
  for (const Planned& one : planned) {
    if (!one.run) continue;
    if (format == Format::dot)
      append_dot(text, one, cluster++);
    else if (format == Format::json)
      append_json(json, one);
    else
      text += graph_text(one);
  }
  if (format == Format::dot) text += "}\n";
  if (format == Format::json) json.end_array().end_object();
  return format == Format::json ? text + "\n" : text;
}

}  // namespace slipway::cli
