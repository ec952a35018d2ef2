#pragma once

#include <cstdint>

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

}  // namespace slipway::sandbox
