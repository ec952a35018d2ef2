#include "base/json.h"

#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace slipway {

namespace json = boost::json;

Result<json::object> parse_object(std::string_view text, std::string_view what) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::size_t read = parser.write_some(text.data(), text.size(), error);
  if (!error && read < text.size()) error = json::error::extra_data;
  if (!error) parser.finish(error);
  if (error) {
    const std::string_view good = text.substr(0, read);
    const auto line = std::ranges::count(good, '\n') + 1;
    const std::size_t column = good.size() - (good.rfind('\n') + 1) + 1;  // npos + 1 is 0
    return fail(ErrorKind::invalid,
                fmt::format("{}{}{}:{}: not JSON: {}", what, what.empty() ? "" : ":", line, column, error.message()));
  }
  json::value value = parser.release();
  if (!value.is_object())
    return fail(ErrorKind::invalid, fmt::format("{}{}not a JSON object", what, what.empty() ? "" : ": "));
  return std::move(value.get_object());
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

std::optional<std::string> scalar_text(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string().data(), value.get_string().size());
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  if (value.is_double()) return fmt::format("{}", value.get_double());
  if (value.is_number()) return json::serialize(value);
  return std::nullopt;
}

}  // namespace slipway
