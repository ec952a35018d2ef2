#pragma once

#include <cstdint>
#include <functional>
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
/// The owner's answer to a trigger. `refused`: why one of the jobs asked for, or all of them, will not run; empty:
/// nothing is wrong.
std::string trigger_answer_json(std::string_view refused);
std::string refused_in(std::string_view reply_json);
/// Why the owner refused.
std::string error_in(std::string_view reply_json);
/// Of a refusal, what its asker can do about it: `invalid`, `not_found`, else `unavailable`.
std::string error_json(const Error& error);
ErrorKind error_kind_in(std::string_view reply_json);

/// For what is masked and decoded afterwards (triggers): the JSON object `text` written anew, with `mask` over each
/// text in it as it reads when decoded, keys and numbers too. `invalid`: it is no such object, or holds a secret that
/// only shows across several of its values.
using Mask = std::function<std::string(std::string_view)>;
Result<std::string> masked_object(std::string_view text, const Mask& mask);

}  // namespace slipway::wire
