#include "model/event.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"

namespace slipway::model {

namespace {

std::string listed(std::string_view key, const std::vector<std::string>& patterns) {
  return fmt::format("{} [{}]", key, join(patterns, ", "));
}

/// One filter asked and noted. An empty filter holds and is not worth a line.
bool asks(std::string_view key, const std::vector<std::string>& patterns, const std::string& value, Trace& trace) {
  if (patterns.empty()) return true;
  const bool holds = matches_filters(patterns, value);
  trace.push_back({listed(key, patterns), fmt::format("{} `{}`", holds ? "matches" : "does not match", value)});
  return holds;
}

bool asks_paths(const std::vector<std::string>& patterns, const Event& event, Trace& trace) {
  if (patterns.empty()) return true;
  if (!event.changed_files) {
    trace.push_back({listed("paths", patterns), "what changed is unknown: taken as a match"});
    return true;
  }
  for (const std::string& file : *event.changed_files) {
    if (!matches_filters(patterns, file)) continue;
    trace.push_back({listed("paths", patterns), fmt::format("matches `{}`", file)});
    return true;
  }
  trace.push_back(
      {listed("paths", patterns), fmt::format("matches none of {} changed files", event.changed_files->size())});
  return false;
}

bool asks_action(const Trigger& trigger, const Event& event, Trace& trace) {
  static const std::vector<std::string> kUsual = {"opened", "updated", "reopened"};
  if (event.action.empty()) return true;
  if (event.kind != EventKind::pull_request && trigger.events.empty()) return true;
  return asks("events", trigger.events.empty() ? kUsual : trigger.events, event.action, trace);
}

bool asks_schedule(const Trigger& trigger, const Event& event, Trace& trace) {
  if (event.schedule.empty()) return true;
  for (const Schedule& schedule : trigger.schedules) {
    if (schedule.cron == event.schedule) return true;
  }
  trace.push_back({"schedule", fmt::format("has no line `{}`", event.schedule)});
  return false;
}

bool asks_filters(const Trigger& trigger, const Event& event, Trace& trace) {
  switch (event.kind) {
    case EventKind::push:
      if (!trigger.branches.empty() && event.branch.empty()) {
        trace.push_back({listed("branches", trigger.branches), "the event has no branch"});
        return false;
      }
      return asks("branches", trigger.branches, event.branch, trace) && asks_paths(trigger.paths, event, trace);
    case EventKind::pull_request: {
      const std::string base = event.pull_request ? event.pull_request->base : event.default_branch;
      return asks("branches", trigger.branches, base, trace) && asks_action(trigger, event, trace) &&
             asks_paths(trigger.paths, event, trace);
    }
    case EventKind::tag: return asks("tags", trigger.tags, event.tag, trace) && asks_action(trigger, event, trace);
    case EventKind::schedule:
      return asks_schedule(trigger, event, trace) && asks("branches", trigger.branches, event.branch, trace);
    case EventKind::manual:
    case EventKind::api:
      return asks("branches", trigger.branches, event.branch, trace) && asks_action(trigger, event, trace);
  }
  return false;
}

Value empty_value(InputDefinition::Type type) {
  switch (type) {
    case InputDefinition::Type::number: return {0.0};
    case InputDefinition::Type::boolean: return {false};
    case InputDefinition::Type::string:
    case InputDefinition::Type::choice: break;
  }
  return {std::string()};
}

/// The typed value, or what is wrong with it.
Result<Value> typed(const std::string& name, const InputDefinition& input, const std::string& text) {
  switch (input.type) {
    case InputDefinition::Type::string: return Value{text};
    case InputDefinition::Type::number: {
      double number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
        return fail(ErrorKind::invalid,
                    fmt::format("input `{}` must be a number, not `{}`", name, printable(text, Colour::strip)));
      }
      return Value{number};
    }
    case InputDefinition::Type::boolean:
      if (text == "true" || text == "false") return Value{text == "true"};
      return fail(ErrorKind::invalid,
                  fmt::format("input `{}` must be `true` or `false`, not `{}`", name, printable(text, Colour::strip)));
    case InputDefinition::Type::choice:
      if (std::find(input.options.begin(), input.options.end(), text) != input.options.end()) return Value{text};
      return fail(ErrorKind::invalid, fmt::format("input `{}` must be one of {}, not `{}`", name,
                                                  join(input.options, ", "), printable(text, Colour::strip)));
  }
  return fail(ErrorKind::internal, "unknown type of input");
}

std::string unknown_input(const std::string& name, const Named<InputDefinition>& declared) {
  std::vector<std::string> names;
  for (const auto& [known, input] : declared) names.push_back(known);
  std::string text = fmt::format("unknown input `{}`", printable(name, Colour::strip));
  if (const auto near = nearest(name, names)) return text + fmt::format(": did you mean `{}`?", *near);
  return text + (names.empty() ? ": the workflow takes none on this event" : ": there is " + join(names, ", "));
}

}  // namespace

TriggerDecision decide(const Workflow& workflow, const Event& event) {
  TriggerDecision decision;
  const std::string kind(to_string(event.kind));
  if (workflow.on.empty()) {
    decision.starts = event.kind == EventKind::manual || event.kind == EventKind::api;
    decision.because.push_back({"on", decision.starts ? "is not there: a person or a program may start it"
                                                      : "is not there: only a person or a program starts it"});
    return decision;
  }
  bool listed_kind = false;
  for (const Trigger& trigger : workflow.on) {
    if (trigger.event != event.kind) continue;
    if (!listed_kind) decision.because.push_back({"on", fmt::format("lists `{}`", kind)});
    listed_kind = true;
    if (asks_filters(trigger, event, decision.because)) {
      decision.starts = true;
      return decision;
    }
  }
  if (!listed_kind) decision.because.push_back({"on", fmt::format("does not list `{}`", kind)});
  return decision;
}

Result<Named<Value>> check_inputs(const Named<InputDefinition>& declared,
                                  const std::map<std::string, std::string>& given) {
  std::vector<std::string> wrong;
  for (const auto& [name, text] : given) {
    const bool known = std::any_of(declared.begin(), declared.end(), [&](const auto& d) { return d.first == name; });
    if (!known) wrong.push_back(unknown_input(name, declared));
  }
  Named<Value> values;
  for (const auto& [name, input] : declared) {
    if (const auto found = given.find(name); found != given.end()) {
      auto value = typed(name, input, found->second);
      if (value)
        values.emplace_back(name, std::move(*value));
      else
        wrong.push_back(std::move(value).error().what);
    } else if (input.default_value) {
      values.emplace_back(name, *input.default_value);
    } else if (input.required) {
      wrong.push_back(fmt::format("input `{}` is required", name));
    } else {
      values.emplace_back(name, empty_value(input.type));
    }
  }
  if (!wrong.empty()) return fail(ErrorKind::invalid, join(wrong, "; "));
  return values;
}

const Named<InputDefinition>& declared_inputs(const Workflow& workflow, EventKind kind) {
  static const Named<InputDefinition> kNone;
  for (const Trigger& trigger : workflow.on) {
    if (trigger.event == kind && !trigger.inputs.empty()) return trigger.inputs;
  }
  return kNone;
}

}  // namespace slipway::model
