#include "store/row_json.h"

#include <fmt/format.h>
#include <boost/json.hpp>

namespace slipway::store {

namespace {

namespace json = boost::json;

Result<json::value> parse(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error);
  if (error) return fail(ErrorKind::internal, fmt::format("a stored row is not JSON: {}", error.message()));
  return value;
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  return value != nullptr && value->is_string() ? std::string(value->get_string().data(), value->get_string().size())
                                                : std::string();
}

template <class T>
T number_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  if (value == nullptr) return {};
  boost::system::error_code error;
  const T number = value->to_number<T>(error);
  return error ? T{} : number;
}

json::object object_of(const std::map<std::string, std::string>& values) {
  json::object object;
  for (const auto& [name, value] : values) object[name] = value;
  return object;
}

std::map<std::string, std::string> map_of(const json::value* value) {
  std::map<std::string, std::string> values;
  if (value == nullptr || !value->is_object()) return values;
  for (const auto& [key, entry] : value->get_object()) {
    if (entry.is_string())
      values.emplace(std::string(key), std::string(entry.get_string().data(), entry.get_string().size()));
  }
  return values;
}

json::array array_of(const std::vector<std::string>& names) {
  json::array array;
  for (const std::string& name : names) array.emplace_back(name);
  return array;
}

std::vector<std::string> names_of(const json::value* value) {
  std::vector<std::string> names;
  if (value == nullptr || !value->is_array()) return names;
  for (const json::value& entry : value->get_array()) {
    if (entry.is_string()) names.emplace_back(entry.get_string().data(), entry.get_string().size());
  }
  return names;
}

json::object object_of(const model::StepResult& step) {
  const auto outcome = model::to_string(step.outcome);
  json::object object{{"name", step.name},
                      {"outcome", json::string_view(outcome.data(), outcome.size())},
                      {"exit_code", step.exit_code},
                      {"started", to_micros(step.started)},
                      {"finished", to_micros(step.finished)},
                      {"cpu_micros", step.cpu_micros},
                      {"memory_peak_bytes", step.memory_peak_bytes},
                      {"io_read_bytes", step.io_read_bytes},
                      {"io_written_bytes", step.io_written_bytes},
                      {"tries", step.tries}};
  if (step.parent) object["parent"] = *step.parent;
  return object;
}

model::StepResult step_of(const json::object& object) {
  model::StepResult step;
  step.name = text_of(object, "name");
  step.outcome = model::outcome_of(text_of(object, "outcome")).value_or(model::Outcome::infra_failed);
  step.exit_code = number_of<int>(object, "exit_code");
  step.started = from_micros(number_of<std::int64_t>(object, "started"));
  step.finished = from_micros(number_of<std::int64_t>(object, "finished"));
  step.cpu_micros = number_of<std::uint64_t>(object, "cpu_micros");
  step.memory_peak_bytes = number_of<std::uint64_t>(object, "memory_peak_bytes");
  step.io_read_bytes = number_of<std::uint64_t>(object, "io_read_bytes");
  step.io_written_bytes = number_of<std::uint64_t>(object, "io_written_bytes");
  step.tries = number_of<int>(object, "tries");
  if (object.contains("parent")) step.parent = number_of<std::size_t>(object, "parent");
  return step;
}

}  // namespace

std::string encode(const model::AttemptReport& report) {
  json::object object;
  const auto outcome = model::to_string(report.outcome);
  object["attempt"] = report.attempt.value;
  object["outcome"] = json::string_view(outcome.data(), outcome.size());
  object["exit_code"] = report.exit_code;
  object["reason"] = report.reason;
  object["started"] = to_micros(report.started);
  object["finished"] = to_micros(report.finished);
  json::array& steps = object["steps"].emplace_array();
  for (const model::StepResult& step : report.steps) steps.push_back(object_of(step));
  object["outputs"] = object_of(report.outputs);
  object["vars"] = object_of(report.vars);
  json::array& triggers = object["triggers"].emplace_array();
  for (const model::TriggerRequest& trigger : report.triggers) triggers.emplace_back(trigger.json);
  object["artifacts"] = array_of(report.artifacts);
  object["image"] = report.image;
  json::object& resources = object["resources"].emplace_object();
  if (report.resources.cpus) resources["cpus"] = *report.resources.cpus;
  if (report.resources.memory_bytes) resources["memory"] = *report.resources.memory_bytes;
  object["journal_bytes"] = report.journal_bytes;
  object["took_untrusted"] = report.took_untrusted;
  return json::serialize(object);
}

Result<model::AttemptReport> decode_report(std::string_view text) {
  SW_TRY(const json::value value, parse(text));
  if (!value.is_object()) return fail(ErrorKind::internal, "a stored report is not an object");
  const json::object& object = value.get_object();
  model::AttemptReport report;
  report.attempt = AttemptId(text_of(object, "attempt"));
  report.outcome = model::outcome_of(text_of(object, "outcome")).value_or(model::Outcome::infra_failed);
  report.exit_code = number_of<int>(object, "exit_code");
  report.reason = text_of(object, "reason");
  report.started = from_micros(number_of<std::int64_t>(object, "started"));
  report.finished = from_micros(number_of<std::int64_t>(object, "finished"));
  if (const json::value* steps = object.if_contains("steps"); steps != nullptr && steps->is_array()) {
    for (const json::value& step : steps->get_array()) {
      if (step.is_object()) report.steps.push_back(step_of(step.get_object()));
    }
  }
  report.outputs = map_of(object.if_contains("outputs"));
  report.vars = map_of(object.if_contains("vars"));
  for (std::string& trigger : names_of(object.if_contains("triggers"))) report.triggers.push_back({std::move(trigger)});
  report.artifacts = names_of(object.if_contains("artifacts"));
  report.image = text_of(object, "image");
  if (const json::value* resources = object.if_contains("resources"); resources != nullptr && resources->is_object()) {
    const json::object& held = resources->get_object();
    if (const json::value* cpus = held.if_contains("cpus"); cpus != nullptr && cpus->is_number())
      report.resources.cpus = cpus->to_number<double>();
    if (held.contains("memory")) report.resources.memory_bytes = number_of<std::uint64_t>(held, "memory");
  }
  report.journal_bytes = number_of<std::uint64_t>(object, "journal_bytes");
  if (const json::value* took = object.if_contains("took_untrusted"); took != nullptr && took->is_bool())
    report.took_untrusted = took->get_bool();
  return report;
}

std::string encode(const model::Trace& trace) {
  json::array array;
  for (const model::TraceEntry& entry : trace) array.push_back(json::array{entry.text, entry.outcome});
  return json::serialize(array);
}

Result<model::Trace> decode_trace(std::string_view text) {
  SW_TRY(const json::value value, parse(text));
  model::Trace trace;
  if (!value.is_array()) return trace;
  for (const json::value& entry : value.get_array()) {
    const auto pair = names_of(&entry);
    if (pair.size() == 2) trace.push_back({pair[0], pair[1]});
  }
  return trace;
}

std::string encode(const std::map<std::string, std::string>& values) {
  return values.empty() ? "{}" : json::serialize(object_of(values));
}

Result<std::map<std::string, std::string>> decode_map(std::string_view text) {
  SW_TRY(const json::value value, parse(text));
  return map_of(&value);
}

std::string encode(const std::vector<std::string>& names) { return json::serialize(array_of(names)); }

Result<std::vector<std::string>> decode_names(std::string_view text) {
  SW_TRY(const json::value value, parse(text));
  return names_of(&value);
}

}  // namespace slipway::store
