#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_text.h"
#include "base/time.h"
#include "model/test_results.h"

namespace slipway::cli {

/// Writes JSON straight into a buffer: a stream of millions of events must not build a tree for each.
/// The caller keeps begin and end in balance; commas come by themselves.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array(std::string_view key);
  JsonWriter& end_array();
  /// A bare object or text inside an array.
  JsonWriter& item(std::string_view text);

  JsonWriter& field(std::string_view key, std::string_view value);
  JsonWriter& field(std::string_view key, const char* value) { return field(key, std::string_view(value)); }
  JsonWriter& field(std::string_view key, const std::string& value) { return field(key, std::string_view(value)); }
  JsonWriter& field(std::string_view key, std::int64_t value);
  JsonWriter& field(std::string_view key, std::uint64_t value);
  JsonWriter& field(std::string_view key, int value) { return field(key, static_cast<std::int64_t>(value)); }
  JsonWriter& field(std::string_view key, bool value);
  JsonWriter& field(std::string_view key, Time value);
  /// `json` is valid JSON already.
  JsonWriter& raw(std::string_view key, std::string_view json);

 private:
  void key(std::string_view name);
  void comma();

  std::string& out_;
  bool first_ = true;
};

/// `"passed":812,"failed":3,...`
void tests_fields(JsonWriter& json, const model::TestCounts& counts);

}  // namespace slipway::cli
