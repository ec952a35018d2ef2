#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

/// The JSON inside wire::Request and wire::Reply that init writes and reads.
namespace slipway::wire {

enum class BundleKind { artifact, cache };

/// `name`: of the artifact, or the cache's key.
std::string open_bundle_json(BundleKind kind, std::string_view name);
/// `bundle`: as the answer to `open_bundle` said.
std::string close_bundle_json(std::uint64_t bundle, bool complete);

Result<std::uint64_t> bundle_in(std::string_view reply_json);
/// Empty when the owner gave none.
std::string url_in(std::string_view reply_json);
/// The owner has it already (a cache of this very key): a refusal that nobody needs to hear of.
std::string needless_json();
bool is_needless(std::string_view reply_json);
/// Why the owner refused.
std::string error_in(std::string_view reply_json);

/// Triggers: is the text one JSON object?
bool is_json_object(std::string_view text);

}  // namespace slipway::wire
