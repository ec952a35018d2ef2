#include "wire/owner_json.h"

#include "wire/json_fields.h"

namespace slipway::wire {

namespace {

std::string text_in(std::string_view reply_json, std::string_view key) {
  const auto object = parse_object(reply_json, "reply");
  if (!object) return {};
  std::string problem;
  return Fields(*object, &problem).text(key);
}

// Recursion ends with the parser's limit of depth.
json::value masked_value(const json::value& value, const Mask& mask) {
  if (const json::object* object = value.if_object()) {
    json::object masked;
    for (const auto& [key, inner] : *object) masked[mask(std::string_view(key))] = masked_value(inner, mask);
    return masked;
  }
  if (const json::array* array = value.if_array()) {
    json::array masked;
    for (const json::value& inner : *array) masked.push_back(masked_value(inner, mask));
    return masked;
  }
  const std::string text = scalar_text(value).value_or("null");
  const std::string masked = mask(text);
  return masked == text ? value : json::value(json::string(masked.data(), masked.size()));
}

}  // namespace

std::string open_bundle_json(BundleKind kind, std::string_view name) {
  return json::serialize(json::object{{"kind", kind == BundleKind::cache ? "cache" : "artifact"},
                                      {"name", json::string(name.data(), name.size())}});
}

std::string close_bundle_json(std::uint64_t bundle, bool complete) {
  return json::serialize(json::object{{"bundle", bundle}, {"complete", complete}});
}

Result<std::uint64_t> bundle_in(std::string_view reply_json) {
  SW_TRY(const json::object object, parse_object(reply_json, "reply"));
  std::string problem;
  const Fields fields(object, &problem);
  if (fields.find("bundle") == nullptr) fields.refuse("bundle", "there");
  return checked(fields.count("bundle"), problem, "reply");
}

std::string url_in(std::string_view reply_json) { return text_in(reply_json, "url"); }

std::string error_json(const Error& error) {
  const std::string_view kind = to_string(error.kind);
  return json::serialize(json::object{{"error", error.what}, {"kind", json::string(kind.data(), kind.size())}});
}

ErrorKind error_kind_in(std::string_view reply_json) {
  const std::string kind = text_in(reply_json, "kind");
  for (const ErrorKind known : {ErrorKind::invalid, ErrorKind::not_found}) {
    if (kind == to_string(known)) return known;
  }
  return ErrorKind::unavailable;
}

std::string error_in(std::string_view reply_json) {
  std::string error = text_in(reply_json, "error");
  return error.empty() ? "refused" : error;
}

std::string trigger_answer_json(std::string_view refused) {
  return json::serialize(json::object{{"refused", json::string(refused.data(), refused.size())}});
}
std::string refused_in(std::string_view reply_json) { return text_in(reply_json, "refused"); }

std::string needless_json() { return R"({"needless":true})"; }

bool is_needless(std::string_view reply_json) { return reply_json == needless_json(); }

Result<std::string> masked_object(std::string_view text, const Mask& mask) {
  SW_TRY(const json::object object, parse_object_exactly(text, ""));
  std::string masked = json::serialize(masked_value(object, mask));
  if (mask(masked) != masked) return fail(ErrorKind::invalid, "a secret spans several values of the JSON");
  return masked;
}

}  // namespace slipway::wire
