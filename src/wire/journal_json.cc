#include "wire/journal_json.h"

#include "wire/job_spec_value.h"
#include "wire/json_fields.h"

namespace slipway::wire::payload {

namespace {

json::string text_of(std::string_view text) { return json::string(text.data(), text.size()); }

json::object map_to_json(const std::map<std::string, std::string>& map) {
  json::object object;
  for (const auto& [key, value] : map) object[key] = value;
  return object;
}

std::map<std::string, std::string> map_of(const Fields& fields, std::string_view key) {
  std::map<std::string, std::string> map;
  if (const json::object* object = fields.object(key)) {
    for (const auto& [name, value] : *object) {
      if (value.is_string()) {
        map[std::string(name)] = std::string(value.get_string());
      } else {
        fields.refuse(key, "a map of texts");
      }
    }
  }
  return map;
}

model::Outcome outcome_of(const Fields& fields) {
  const auto outcome = model::outcome_of(fields.text("outcome"));
  if (!outcome) fields.refuse("outcome", "an outcome");
  return outcome.value_or(model::Outcome::infra_failed);
}

std::optional<std::size_t> parent_of(const Fields& fields) {
  const std::optional<std::uint64_t> parent = fields.optional_count("parent");
  return parent ? std::optional<std::size_t>(*parent) : std::nullopt;
}

json::object result_to_json(const model::StepResult& result) {
  json::object object{{"name", result.name},
                      {"outcome", text_of(model::to_string(result.outcome))},
                      {"exit_code", result.exit_code},
                      {"started", to_micros(result.started)},
                      {"finished", to_micros(result.finished)},
                      {"cpu_micros", result.cpu_micros},
                      {"memory_peak_bytes", result.memory_peak_bytes},
                      {"io_read_bytes", result.io_read_bytes},
                      {"io_written_bytes", result.io_written_bytes},
                      {"tries", result.tries}};
  if (result.parent) object["parent"] = *result.parent;
  return object;
}

model::StepResult result_of(const Fields& fields) {
  return {.name = fields.text("name"),
          .outcome = outcome_of(fields),
          .exit_code = static_cast<int>(fields.integer("exit_code")),
          .started = fields.time("started"),
          .finished = fields.time("finished"),
          .cpu_micros = fields.count("cpu_micros"),
          .memory_peak_bytes = fields.count("memory_peak_bytes"),
          .io_read_bytes = fields.count("io_read_bytes"),
          .io_written_bytes = fields.count("io_written_bytes"),
          .tries = static_cast<int>(fields.integer("tries", 1)),
          .parent = parent_of(fields)};
}

json::object report_to_json(const model::AttemptReport& report) {
  json::array steps;
  for (const model::StepResult& step : report.steps) steps.push_back(result_to_json(step));
  return {{"attempt", report.attempt.value},
          {"outcome", text_of(model::to_string(report.outcome))},
          {"exit_code", report.exit_code},
          {"reason", report.reason},
          {"started", to_micros(report.started)},
          {"finished", to_micros(report.finished)},
          {"steps", std::move(steps)},
          {"outputs", map_to_json(report.outputs)},
          {"vars", map_to_json(report.vars)},
          {"artifacts", to_json_array(report.artifacts)},
          {"image", report.image},
          {"resources", resources_to_json(report.resources)}};
}

model::AttemptReport report_of(const Fields& fields) {
  model::AttemptReport report;
  report.attempt = AttemptId(fields.text("attempt"));
  report.outcome = outcome_of(fields);
  report.exit_code = static_cast<int>(fields.integer("exit_code"));
  report.reason = fields.text("reason");
  report.image = fields.text("image");
  report.started = fields.time("started");
  report.finished = fields.time("finished");
  if (const json::array* steps = fields.array("steps")) {
    for (const json::value& step : *steps) {
      report.steps.push_back(result_of(Fields(fields.as_object(step, "steps"), fields.problem())));
    }
  }
  report.outputs = map_of(fields, "outputs");
  report.vars = map_of(fields, "vars");
  report.artifacts = fields.texts("artifacts");
  report.resources = resources_of(fields);
  return report;
}

/// Parses `text`, lets `read` take it apart, and reports the first thing that was wrong.
template <class F>
auto decode_with(std::string_view text, std::string_view what, F&& read)
    -> Result<decltype(read(std::declval<Fields>()))> {
  SW_TRY(const json::object object, parse_object(text, what));
  std::string problem;
  auto payload = read(Fields(object, &problem));
  return checked(std::move(payload), problem, what);
}

}  // namespace

std::string_view to_string(Annotation::Level level) {
  switch (level) {
    case Annotation::Level::notice: return "notice";
    case Annotation::Level::warning: return "warning";
    case Annotation::Level::error: return "error";
  }
  return "notice";
}

std::optional<Annotation::Level> annotation_level_of(std::string_view text) {
  for (const auto level : {Annotation::Level::notice, Annotation::Level::warning, Annotation::Level::error}) {
    if (to_string(level) == text) return level;
  }
  return {};
}

std::string encode(const AttemptStarted& payload) {
  return json::serialize(json::object{{"run", payload.run},
                                      {"job", payload.job},
                                      {"attempt", payload.attempt},
                                      {"number", payload.number},
                                      {"steps", to_json_array(payload.steps)}});
}

std::string encode(const StepStarted& payload) {
  json::object object{{"name", payload.name}, {"command", payload.command}, {"attempt", payload.attempt}};
  if (payload.parent) object["parent"] = *payload.parent;
  return json::serialize(object);
}

std::string encode(const StepFinished& payload) {
  json::object object = result_to_json(payload.result);
  object["reason"] = payload.reason;
  object["will_retry"] = payload.will_retry;
  object["failure_allowed"] = payload.failure_allowed;
  return json::serialize(object);
}

std::string encode(const Trigger& payload) { return json::serialize(json::object{{"json", payload.json}}); }

std::string encode(const OutputVariable& payload) {
  const bool is_output = payload.kind == OutputVariable::Kind::output;
  return json::serialize(
      json::object{{"kind", is_output ? "output" : "var"}, {"name", payload.name}, {"value", payload.value}});
}

std::string encode(const Annotation& payload) {
  json::object object{{"level", text_of(to_string(payload.level))}, {"message", payload.message}};
  if (!payload.title.empty()) object["title"] = payload.title;
  if (!payload.file.empty()) object["file"] = payload.file;
  if (payload.line != 0) object["line"] = payload.line;
  if (payload.column != 0) object["column"] = payload.column;
  if (payload.end_line != 0) object["end_line"] = payload.end_line;
  if (payload.printed) object["printed"] = true;
  return json::serialize(object);
}

std::string encode(const Artifact& payload) {
  json::object object{{"name", payload.name},
                      {"kind", payload.kind == Artifact::Kind::cache ? "cache" : "artifact"},
                      {"files", payload.files},
                      {"bytes", payload.bytes},
                      {"url", payload.url}};
  if (!payload.refused.empty()) object["refused"] = to_json_array(payload.refused);
  return json::serialize(object);
}

std::string encode(const SecretRegistered& payload) { return json::serialize(json::object{{"name", payload.name}}); }

std::string encode(const ResourceSample& payload) {
  return json::serialize(json::object{{"cpu_micros", payload.cpu_micros},
                                      {"memory_bytes", payload.memory_bytes},
                                      {"io_read_bytes", payload.io_read_bytes},
                                      {"io_written_bytes", payload.io_written_bytes}});
}

std::string encode(const Group& payload) {
  return json::serialize(json::object{{"start", payload.start}, {"name", payload.name}});
}

std::string encode(const Notice& payload) {
  return json::serialize(json::object{{"code", payload.code}, {"message", payload.message}});
}

std::string encode(const Tests& payload) {
  json::array results;
  for (const model::TestResult& one : payload.results) {
    json::object object{{"name", one.name}, {"outcome", text_of(model::to_string(one.outcome))}};
    if (!one.suite.empty()) object["suite"] = one.suite;
    if (one.took != Duration(0)) object["took"] = one.took.count();
    if (!one.message.empty()) object["message"] = one.message;
    if (!one.text.empty()) object["text"] = one.text;
    results.push_back(std::move(object));
  }
  return json::serialize(json::object{{"results", std::move(results)}});
}

std::string encode(const AttemptFinished& payload) {
  json::object object = report_to_json(payload.report);
  object["triggers"] = payload.triggers;
  if (payload.tests > 0) object["tests"] = payload.tests;
  return json::serialize(object);
}

template <>
Result<AttemptStarted> decode(std::string_view text) {
  return decode_with(text, "attempt_started", [](const Fields& fields) {
    return AttemptStarted{fields.text("run"), fields.text("job"), fields.text("attempt"),
                          static_cast<int>(fields.integer("number", 1)), fields.texts("steps")};
  });
}

template <>
Result<StepStarted> decode(std::string_view text) {
  return decode_with(text, "step_started", [](const Fields& fields) {
    return StepStarted{fields.text("name"), fields.text("command"), static_cast<int>(fields.integer("attempt", 1)),
                       parent_of(fields)};
  });
}

template <>
Result<StepFinished> decode(std::string_view text) {
  return decode_with(text, "step_finished", [](const Fields& fields) {
    return StepFinished{result_of(fields), fields.text("reason"), fields.flag("will_retry"),
                        fields.flag("failure_allowed")};
  });
}

template <>
Result<Trigger> decode(std::string_view text) {
  return decode_with(text, "trigger", [](const Fields& fields) { return Trigger{fields.required_text("json")}; });
}

template <>
Result<OutputVariable> decode(std::string_view text) {
  return decode_with(text, "output_variable", [](const Fields& fields) {
    const std::string kind = fields.text("kind", "output");
    if (kind != "output" && kind != "var") fields.refuse("kind", "output or var");
    return OutputVariable{kind == "var" ? OutputVariable::Kind::var : OutputVariable::Kind::output,
                          fields.required_text("name"), fields.text("value")};
  });
}

template <>
Result<Annotation> decode(std::string_view text) {
  return decode_with(text, "annotation", [](const Fields& fields) {
    const auto level = annotation_level_of(fields.text("level", "notice"));
    if (!level) fields.refuse("level", "notice, warning or error");
    return Annotation{level.value_or(Annotation::Level::notice),
                      fields.text("title"),
                      fields.text("message"),
                      fields.text("file"),
                      static_cast<int>(fields.integer("line")),
                      static_cast<int>(fields.integer("column")),
                      static_cast<int>(fields.integer("end_line")),
                      fields.flag("printed")};
  });
}

template <>
Result<Artifact> decode(std::string_view text) {
  return decode_with(text, "artifact", [](const Fields& fields) {
    const bool is_cache = fields.text("kind", "artifact") == "cache";
    return Artifact{fields.required_text("name"), is_cache ? Artifact::Kind::cache : Artifact::Kind::artifact,
                    fields.count("files"),        fields.count("bytes"),
                    fields.text("url"),           fields.texts("refused")};
  });
}

template <>
Result<SecretRegistered> decode(std::string_view text) {
  return decode_with(text, "secret_registered",
                     [](const Fields& fields) { return SecretRegistered{fields.text("name")}; });
}

template <>
Result<ResourceSample> decode(std::string_view text) {
  return decode_with(text, "resource_sample", [](const Fields& fields) {
    return ResourceSample{fields.count("cpu_micros"), fields.count("memory_bytes"), fields.count("io_read_bytes"),
                          fields.count("io_written_bytes")};
  });
}

template <>
Result<Group> decode(std::string_view text) {
  return decode_with(text, "group",
                     [](const Fields& fields) { return Group{fields.flag("start", true), fields.text("name")}; });
}

template <>
Result<Notice> decode(std::string_view text) {
  return decode_with(text, "notice",
                     [](const Fields& fields) { return Notice{fields.text("code"), fields.text("message")}; });
}

template <>
Result<Tests> decode(std::string_view text) {
  return decode_with(text, "tests", [](const Fields& fields) {
    Tests tests;
    const json::array* results = fields.array("results");
    for (const json::value& one : results == nullptr ? json::array() : *results) {
      const Fields result(fields.as_object(one, "results"), fields.problem());
      const std::string outcome = result.text("outcome", "passed");
      tests.results.push_back({.suite = result.text("suite"),
                               .name = result.text("name"),
                               .outcome = outcome == "passed"    ? model::TestOutcome::passed
                                          : outcome == "skipped" ? model::TestOutcome::skipped
                                                                 : model::TestOutcome::failed,
                               .took = std::max(result.duration("took"), Duration(0)),
                               .message = result.text("message"),
                               .text = result.text("text")});
    }
    return tests;
  });
}

template <>
Result<AttemptFinished> decode(std::string_view text) {
  return decode_with(text, "attempt_finished", [](const Fields& fields) {
    return AttemptFinished{report_of(fields), fields.count("triggers"), fields.count("tests")};
  });
}

}  // namespace slipway::wire::payload
