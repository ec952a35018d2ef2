#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "base/error.h"
#include "base/time.h"

/// Reading the small JSON files of artifacts and caches. For this module's .cc files only.
namespace slipway::worker {

/// The object in `text`. `internal`, with `name`: it is damaged.
Result<boost::json::object> parse_object(std::string_view text, const std::string& name);

/// Takes fields by name and remembers whether any was missing or of another type.
class Fields {
 public:
  explicit Fields(const boost::json::object& object) : object_(object) {}
  std::string text(std::string_view name);
  std::uint64_t number(std::string_view name);
  Time time(std::string_view name);
  std::optional<Time> optional_time(std::string_view name);
  bool flag(std::string_view name);
  bool complete() const { return complete_; }

 private:
  const boost::json::object& object_;
  bool complete_ = true;
};

/// A name for a file: the first 32 hex digits of BLAKE2b over the parts.
std::string hashed_name(std::initializer_list<std::string_view> parts);

}  // namespace slipway::worker
