#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/definition.h"

/// The users of every sandbox, by the ids that they have inside.
namespace slipway::sandbox {

inline constexpr std::uint32_t kInitId = 65'533;  ///< no step can have it
inline constexpr std::uint32_t kNobodyId = 65'534;
inline constexpr std::uint32_t kRunnerId = 1001;
/// The owner of source that is apart from job code: the runner of each sibling, seen from the job's sandbox.
inline constexpr std::uint32_t kSourceId = 1002;

/// That a job's own user has.
std::uint32_t job_id(const model::RunAs& run_as);

/// The text of /etc/passwd or /etc/group with our entries: first, so that their ids have their names whoever else has
/// them, and instead of another `runner` or `source`.
std::string with_runner(std::string_view text, const char* entries);
inline constexpr const char* kRunnerPasswd =
    "runner:x:1001:1001:Slipway runner:/home/runner:/bin/sh\n"
    "source:x:1002:1002:Slipway source:/nonexistent:/usr/sbin/nologin";
inline constexpr const char* kRunnerGroup = "runner:x:1001:\nsource:x:1002:";

}  // namespace slipway::sandbox
