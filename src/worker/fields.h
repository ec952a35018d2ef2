#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "base/time.h"

/// Reading the small JSON files of artifacts and caches. For this module's .cc files only.
namespace slipway::worker {

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

}  // namespace slipway::worker
