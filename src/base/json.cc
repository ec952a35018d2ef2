#include "base/json.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <boost/json.hpp>

namespace slipway {

namespace json = boost::json;

namespace {

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [at, bad] = std::from_chars(text.data(), end, number);
  return bad == std::errc() && at == end ? std::optional(number) : std::nullopt;
}

/// Whether a JSON number that is read and written again is the same text; `2.0`, which becomes `2`, counts.
bool comes_back(std::string_view number) {
  if (number == "-0") return false;
  if (whole_number<std::int64_t>(number) || whole_number<std::uint64_t>(number)) return true;
  const auto value = whole_number<double>(number);
  if (!value) return false;
  const std::string again = fmt::format("{}", *value);
  return again == number || again + ".0" == number;
}

/// `text` is JSON.
std::string with_lasting_numbers(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at++;
    if (text[begin] == '"') {
      while (text[at] != '"') at += text[at] == '\\' ? 2U : 1U;
      ++at;
    } else if (text[begin] == '-' || (text[begin] >= '0' && text[begin] <= '9')) {
      at = std::min(text.find_first_not_of("0123456789+-.eE", at), text.size());
      const std::string_view number = text.substr(begin, at - begin);
      if (!comes_back(number)) {
        made.append("\"").append(number) += '"';
        continue;
      }
    }
    made.append(text.substr(begin, at - begin));
  }
  return made;
}

}  // namespace

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

Result<json::object> parse_object_exactly(std::string_view text, std::string_view what) {
  SW_TRY(json::object object, parse_object(text, what));
  const std::string lasting = with_lasting_numbers(text);
  if (lasting.size() == text.size()) return object;
  return parse_object(lasting, what);
}

std::string_view kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "true or false";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_: return "a number";
    case json::kind::string: return "a text";
    case json::kind::array: return "a list";
    case json::kind::object: return "an object";
  }
  return "null";
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
