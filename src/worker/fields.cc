#include "worker/fields.h"

#include <boost/json.hpp>

namespace slipway::worker {

std::string Fields::text(std::string_view name) {
  const auto* value = object_.if_contains({name.data(), name.size()});
  if (value != nullptr && value->is_string()) return std::string(value->get_string());
  complete_ = false;
  return {};
}

std::uint64_t Fields::number(std::string_view name) {
  const auto* value = object_.if_contains({name.data(), name.size()});
  if (value != nullptr && value->is_int64() && value->get_int64() >= 0) {
    return static_cast<std::uint64_t>(value->get_int64());
  }
  complete_ = false;
  return 0;
}

Time Fields::time(std::string_view name) { return from_micros(static_cast<std::int64_t>(number(name))); }

std::optional<Time> Fields::optional_time(std::string_view name) {
  if (!object_.contains({name.data(), name.size()})) return std::nullopt;
  return time(name);
}

bool Fields::flag(std::string_view name) {
  const auto* value = object_.if_contains({name.data(), name.size()});
  if (value != nullptr && value->is_bool()) return value->get_bool();
  complete_ = false;
  return false;
}

}  // namespace slipway::worker
