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

/// That a job's own user has.
std::uint32_t job_id(const model::RunAs& run_as);

/// The text of /etc/passwd or /etc/group with the runner's entry: first, so that its id has its name whoever else has
/// that id, and instead of another `runner`.
std::string with_runner(std::string_view text, const char* entry);
inline constexpr const char* kRunnerPasswd = "runner:x:1001:1001:Slipway runner:/home/runner:/bin/sh";
inline constexpr const char* kRunnerGroup = "runner:x:1001:";

}  // namespace slipway::sandbox
