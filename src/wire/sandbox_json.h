#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/trust.h"
#include "wire/leash.h"

/// The JSON of wire::Request `sandbox` and `stop_sandbox`: a command for a sandbox of its own, beside that of the job.
namespace slipway::wire {

inline constexpr std::size_t kMaxShares = 16;
inline constexpr std::size_t kMaxSourceOutputs = 32;                 ///< a descriptor each in the reply
inline constexpr std::uint64_t kMaxSourceOutputBytes = 1ULL << 30U;  ///< of all that one command hands over

using model::kFromSource;

/// Descriptors: [0] the command's standard output, [1] its standard error.
struct SandboxRequest {
  std::uint16_t step = 0;            ///< which asks
  std::vector<std::string> argv;     ///< empty: the step itself, which says `run_as: source`
  std::string working_dir;           ///< absolute; empty: the source directory
  std::vector<std::string> shares;   ///< absolute
  std::vector<std::string> outputs;  ///< below the source directory, relative
};
std::string encode(const SandboxRequest& request);
Result<SandboxRequest> decode_sandbox_request(std::string_view text);

/// The answer, once nothing of the sandbox is left: how it ended, and a descriptor for each of `outputs`.
struct SandboxReply {
  Ended end;
  std::vector<std::string> outputs;
  std::vector<std::string> refused;  ///< for people: outputs that did not come, and why
};
std::string encode(const SandboxReply& reply);
Result<SandboxReply> decode_sandbox_reply(std::string_view text);

/// `stop_sandbox`: ends the one that the request `id` asked for.
struct StopSandbox {
  std::uint64_t id = 0;
  bool at_once = false;  ///< no grace
};
std::string encode(const StopSandbox& stop);
Result<StopSandbox> decode_stop_sandbox(std::string_view text);

/// What a client of the control socket hears: how the command ended.
std::string ended_json(const Ended& end);
/// What a child step left besides.
struct ChildLeft {
  std::size_t step = 0;                                          ///< its index
  std::map<std::string, std::string> outputs;                    ///< that it set
  std::vector<std::pair<std::string, std::string>> artifacts{};  ///< that were stored: names and URLs
};
std::string ended_json(const Ended& end, const ChildLeft& left);
Result<Ended> decode_ended(std::string_view text);

}  // namespace slipway::wire
