#pragma once

#include <cstddef>

#include "model/definition.h"

/// Every limit of the definition language, in one place. docs/language.md shows them.
namespace slipway::definition {

constexpr std::size_t kMaxFileBytes = 1U << 20U;
constexpr std::size_t kMaxDepth = 32;              ///< of nested YAML collections
constexpr std::size_t kMaxNodes = 250'000;         ///< of YAML, aliases counted as often as they are used
constexpr std::size_t kMaxProblems = 100;          ///< shown of one file; the rest is counted
constexpr std::size_t kMaxNameLength = 100;        ///< of jobs, steps, artifacts, ...
constexpr std::size_t kMaxTextLength = 64 * 1024;  ///< of one value, scripts too
constexpr std::size_t kMaxFileJobs = 10'000;       ///< written in one file; of a run: model::kMaxJobs
constexpr std::size_t kMaxSteps = 500;             ///< of a job
constexpr std::size_t kMaxItems = 1'000;           ///< of any other list or map
constexpr std::size_t kMaxExpressionLength = 4'096;
constexpr std::size_t kMaxExpressionDepth = 50;  ///< of parentheses, lists, calls and `!`
constexpr std::size_t kMaxExpressionNodes = 500;

}  // namespace slipway::definition
