#include "base/json.h"

#include <fmt/format.h>
#include <boost/json.hpp>

namespace slipway {

namespace json = boost::json;

Result<json::object> parse_object(std::string_view text, std::string_view what) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return fail(ErrorKind::invalid, fmt::format("{}: not JSON: {}", what, error.message()));
  if (!value.is_object()) return fail(ErrorKind::invalid, fmt::format("{}: not a JSON object", what));
  return std::move(value.get_object());
}

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

}  // namespace slipway
