#pragma once

#include "base/error.h"

namespace slipway::cli {

inline constexpr int kExitSucceeded = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;  ///< usage, definition, rejected
inline constexpr int kExitCancelled = 3;
inline constexpr int kExitNotAllowed = 4;
inline constexpr int kExitInfrastructure = 5;
inline constexpr int kExitTimedOut = 124;
inline constexpr int kExitBySignal = 128;  ///< plus its number, where it cancelled a run: 130 SIGINT, 143 SIGTERM

/// Those of outcomes are the model's (model/run.h).
int exit_code_of(const Error& error);

}  // namespace slipway::cli
