#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "base/error.h"

/// The little that every reader of a JSON object begins with. For .cc files only.
namespace slipway {

/// Nesting is limited: these documents are ours or a job's, and neither needs more.
inline constexpr std::size_t kMaxJsonDepth = 64;

/// `invalid`, with `what` (may be empty) and the line and column in front, when the text is not one JSON object.
Result<boost::json::object> parse_object(std::string_view text, std::string_view what);

/// The same, for what passes values on or masks them: a number that would not be written again as it stands (more
/// digits than one of 64 bits holds, a zero at the end of a fraction) is a text, so that none of its digits is lost.
Result<boost::json::object> parse_object_exactly(std::string_view text, std::string_view what);

/// What a value is, for errors: `a text`, `a number`, `true or false`, `a list`, `an object`, `null`.
std::string_view kind_of(const boost::json::value& value);

/// Empty where there is no such key, or no text behind it.
std::string text_at(const boost::json::object& object, std::string_view key);

/// A text, number or boolean as people write it (`1.5`, not `1.5E0`). Nothing: it is none.
std::optional<std::string> scalar_text(const boost::json::value& value);

}  // namespace slipway
