#include "wire/json_fields.h"

#include <fmt/format.h>

namespace slipway::wire {

void Fields::refuse(std::string_view key, std::string_view expected) const {
  if (problem_->empty()) *problem_ = fmt::format("`{}` is not {}", key, expected);
}

void Fields::refuse_type(std::string_view key, std::string_view expected, const json::value& got) const {
  refuse(key, fmt::format("{} but {}", expected, kind_of(got)));
}

const json::value* Fields::find(std::string_view key) const {
  const json::value* value = object_.if_contains(json::string_view(key.data(), key.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string Fields::text(std::string_view key, std::string_view fallback) const {
  const json::value* value = find(key);
  if (value == nullptr) return std::string(fallback);
  if (const json::string* text = value->if_string()) return {text->data(), text->size()};
  refuse_type(key, "a text", *value);
  return {};
}

std::string Fields::required_text(std::string_view key) const {
  if (find(key) == nullptr) refuse(key, "there");
  return text(key);
}

bool Fields::flag(std::string_view key, bool fallback) const {
  const json::value* value = find(key);
  if (value == nullptr) return fallback;
  if (const bool* flag = value->if_bool()) return *flag;
  refuse_type(key, "true or false", *value);
  return fallback;
}

std::int64_t Fields::integer(std::string_view key, std::int64_t fallback) const {
  const json::value* value = find(key);
  if (value == nullptr) return fallback;
  if (const std::int64_t* number = value->if_int64()) return *number;
  refuse_type(key, "an integer", *value);
  return fallback;
}

std::uint64_t Fields::count(std::string_view key, std::uint64_t fallback) const {
  const json::value* value = find(key);
  if (value == nullptr) return fallback;
  if (const std::uint64_t* number = value->if_uint64()) return *number;
  if (const std::int64_t* number = value->if_int64(); number != nullptr && *number >= 0) {
    return static_cast<std::uint64_t>(*number);
  }
  refuse_type(key, "a count", *value);
  return fallback;
}

std::optional<double> Fields::number(std::string_view key) const {
  const json::value* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_number()) {
    refuse_type(key, "a number", *value);
    return {};
  }
  return value->to_number<double>();
}

std::optional<std::uint64_t> Fields::optional_count(std::string_view key) const {
  if (find(key) == nullptr) return {};
  return count(key);
}

std::optional<Duration> Fields::optional_duration(std::string_view key) const {
  if (find(key) == nullptr) return {};
  return Duration(integer(key));
}

Duration Fields::duration(std::string_view key, Duration fallback) const {
  return Duration(integer(key, fallback.count()));
}

Time Fields::time(std::string_view key) const { return from_micros(integer(key)); }

std::vector<std::string> Fields::texts(std::string_view key) const {
  std::vector<std::string> texts;
  const json::array* items = array(key);
  if (items == nullptr) return texts;
  texts.reserve(items->size());
  for (const json::value& item : *items) {
    if (const json::string* text = item.if_string()) {
      texts.emplace_back(text->data(), text->size());
    } else {
      refuse(key, fmt::format("a list of texts: it holds {}", kind_of(item)));
    }
  }
  return texts;
}

const json::array* Fields::array(std::string_view key) const {
  const json::value* value = find(key);
  if (value == nullptr) return nullptr;
  if (const json::array* items = value->if_array()) return items;
  refuse_type(key, "a list", *value);
  return nullptr;
}

const json::object* Fields::object(std::string_view key) const {
  const json::value* value = find(key);
  if (value == nullptr) return nullptr;
  if (const json::object* inner = value->if_object()) return inner;
  refuse_type(key, "an object", *value);
  return nullptr;
}

const json::object& Fields::as_object(const json::value& value, std::string_view key) const {
  static const json::object kEmpty;
  if (const json::object* inner = value.if_object()) return *inner;
  refuse(key, fmt::format("a list of objects: it holds {}", kind_of(value)));
  return kEmpty;
}

json::array to_json_array(const std::vector<std::string>& texts) {
  json::array items;
  items.reserve(texts.size());
  for (const std::string& text : texts) items.emplace_back(text);
  return items;
}

}  // namespace slipway::wire
