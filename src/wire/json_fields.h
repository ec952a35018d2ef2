#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"

/// How this module reads JSON. Included by the sources of wire/ only, so that Boost.JSON stays behind them.
/// A reader collects the first thing that is wrong and answers defaults from then on: decoders stay flat lists.
namespace slipway::wire {

namespace json = boost::json;

/// One object being read. Not thread-safe; the object outlives it.
class Fields {
 public:
  explicit Fields(const json::object& object, std::string* problem) : object_(object), problem_(problem) {}

  std::string text(std::string_view key, std::string_view fallback = {}) const;
  std::string required_text(std::string_view key) const;
  bool flag(std::string_view key, bool fallback = false) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback = 0) const;
  std::uint64_t count(std::string_view key, std::uint64_t fallback = 0) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<std::uint64_t> optional_count(std::string_view key) const;
  std::optional<Duration> optional_duration(std::string_view key) const;
  Duration duration(std::string_view key, Duration fallback = Duration(0)) const;
  Time time(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  const json::value* find(std::string_view key) const;
  /// The items of an array of objects; null when absent.
  const json::array* array(std::string_view key) const;
  const json::object* object(std::string_view key) const;
  const json::object& as_object(const json::value& value, std::string_view key) const;

  void refuse(std::string_view key, std::string_view expected) const;
  void refuse_type(std::string_view key, std::string_view expected, const json::value& got) const;
  std::string* problem() const { return problem_; }

 private:
  const json::object& object_;
  std::string* problem_;
};

json::array to_json_array(const std::vector<std::string>& texts);

/// `value`, or `invalid` with what the readers found.
template <class T>
Result<T> checked(T value, const std::string& problem, std::string_view what) {
  if (!problem.empty()) return fail(ErrorKind::invalid, std::string(what) + ": " + problem);
  return value;
}

}  // namespace slipway::wire
