#include "cli/json_writer.h"

#include <fmt/format.h>

namespace slipway::cli {

void JsonWriter::comma() {
  if (!first_) out_ += ',';
  first_ = false;
}

void JsonWriter::key(std::string_view name) {
  comma();
  append_json_text(out_, name);
  out_ += ':';
}

JsonWriter& JsonWriter::begin_object() {
  comma();
  out_ += '{';
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_ += '}';
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::begin_array(std::string_view name) {
  key(name);
  out_ += '[';
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_ += ']';
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::item(std::string_view text) {
  comma();
  append_json_text(out_, text);
  return *this;
}

JsonWriter& JsonWriter::field(std::string_view name, std::string_view value) {
  key(name);
  append_json_text(out_, value);
  return *this;
}

JsonWriter& JsonWriter::field(std::string_view name, std::int64_t value) {
  key(name);
  out_ += fmt::format_int(value).c_str();
  return *this;
}

JsonWriter& JsonWriter::field(std::string_view name, std::uint64_t value) {
  key(name);
  out_ += fmt::format_int(value).c_str();
  return *this;
}

JsonWriter& JsonWriter::field(std::string_view name, bool value) {
  key(name);
  out_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::field(std::string_view name, Time value) { return field(name, to_rfc3339(value)); }

JsonWriter& JsonWriter::raw(std::string_view name, std::string_view json) {
  key(name);
  out_ += json;
  return *this;
}

void tests_fields(JsonWriter& json, const model::TestCounts& counts) {
  json.field("passed", counts.passed).field("failed", counts.failed).field("skipped", counts.skipped);
  json.field("new_failures", counts.new_failures).field("flaky", counts.flaky);
}

}  // namespace slipway::cli
