#include "wire/hook_json.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"
#include "wire/control.h"
#include "wire/json_fields.h"

namespace slipway::wire {

namespace {

constexpr std::string_view kOursPrefix = "SLIPWAY_";

json::string text_of(std::string_view text) { return json::string(text.data(), text.size()); }

Result<std::string> value_of(const json::value& value, std::string_view key, std::string_view name) {
  if (auto text = scalar_text(value)) return *std::move(text);
  return fail(ErrorKind::invalid, fmt::format("`{}.{}` must be a text, number or boolean, not {}", key,
                                              printable(name, Colour::strip), kind_of(value)));
}

Result<model::Variables> variables_at(const json::object& object, std::string_view key) {
  model::Variables variables;
  const json::value* value = object.if_contains({key.data(), key.size()});
  if (value == nullptr || value->is_null()) return variables;
  if (!value->is_object())
    return fail(ErrorKind::invalid, fmt::format("`{}` maps names to values: it is {}", key, kind_of(*value)));
  for (const auto& [name, entry] : value->get_object()) {
    SW_TRY(std::string text, value_of(entry, key, std::string_view(name)));
    variables.emplace_back(std::string(name.data(), name.size()), std::move(text));
  }
  return variables;
}

Result<void> check_env(const model::Variables& env) {
  for (const auto& [name, value] : env) {
    const std::string shown = printable(name, Colour::strip);
    if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos)
      return fail(ErrorKind::invalid, fmt::format("`{}` is no name of a variable", shown));
    if (name.starts_with(kOursPrefix))
      return fail(ErrorKind::invalid, fmt::format("`env.{}`: what Slipway sets, no hook changes", shown));
    if (value.find('\0') != std::string::npos)
      return fail(ErrorKind::invalid, fmt::format("`env.{}` holds a null byte", shown));
  }
  return {};
}

}  // namespace

std::string encode(const HookContext& context, const model::JobSpec& job) {
  json::object object{{"phase", text_of(model::to_string(context.phase))},
                      {"run", job.run.value},
                      {"job", job.job},
                      {"definition", job.definition},
                      {"workflow", job.workflow},
                      {"attempt", job.attempt_number},
                      {"image", job.image},
                      {"workspace", context.workspace},
                      {"source", context.workspace + "/src"}};
  const auto put = [&](const char* key, const std::string& text) {
    if (text.empty())
      object[key] = nullptr;
    else
      object[key] = text;
  };
  put("job_code", context.job_code);
  put("event_file", context.event_file);
  put("error", context.error);
  object["cancelled"] = context.cancelled;
  json::array& steps = object["steps"].emplace_array();
  for (const HookContext::Step& step : context.steps) {
    json::object one{{"name", step.result->name},
                     {"phase", text_of(model::to_string(step.phase))},
                     {"outcome", text_of(model::to_string(step.result->outcome))},
                     {"exit_code", step.result->exit_code}};
    if (!step.reason.empty()) one["reason"] = step.reason;
    steps.push_back(std::move(one));
  }
  return json::serialize(object);
}

Result<HookChanges> decode_hook_changes(std::string_view text) {
  HookChanges changes;
  if (trim(text).empty()) return changes;
  SW_TRY(const json::object object, parse_object_exactly(text, ""));
  for (const auto& [key, value] : object) {
    if (key == "env" || key == "outputs" || key == "vars") continue;
    return fail(ErrorKind::invalid, fmt::format("`{}` is nothing that a hook changes: `env`, `outputs` and `vars` are",
                                                printable(std::string_view(key), Colour::strip)));
  }
  SW_TRY(changes.env, variables_at(object, "env"));
  SW_CHECK(check_env(changes.env));
  SW_TRY(changes.outputs, variables_at(object, "outputs"));
  SW_TRY(changes.vars, variables_at(object, "vars"));
  for (const model::Variables* variables : {&changes.outputs, &changes.vars}) {
    for (const auto& [name, value] : *variables) {
      if (control::is_name(name) && value.size() <= control::kMaxValue) continue;
      return fail(ErrorKind::invalid,
                  fmt::format("`{}`: a name has letters, digits, `_`, `-`, `.`, a value at most {} bytes",
                              printable(name, Colour::strip), control::kMaxValue));
    }
  }
  return changes;
}

}  // namespace slipway::wire
