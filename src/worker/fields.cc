#include "worker/fields.h"

#include <sodium.h>
#include <boost/json.hpp>

namespace slipway::worker {

Result<boost::json::object> parse_object(std::string_view text, const std::string& name) {
  boost::json::error_code error;
  boost::json::value value = boost::json::parse({text.data(), text.size()}, error);
  if (error || !value.is_object()) return fail(ErrorKind::internal, name + " is damaged");
  return std::move(value.get_object());
}

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

std::string hashed_name(std::initializer_list<std::string_view> parts) {
  crypto_generichash_state state;
  unsigned char digest[16];
  crypto_generichash_init(&state, nullptr, 0, sizeof digest);
  for (const std::string_view part : parts) {
    const std::uint64_t size = part.size();  // so that {"ab", "c"} and {"a", "bc"} differ
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&size), sizeof size);
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()), part.size());
  }
  crypto_generichash_final(&state, digest, sizeof digest);
  char hex[2 * sizeof digest + 1];
  sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
  return hex;
}

}  // namespace slipway::worker
