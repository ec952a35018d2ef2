#include "cli/advice.h"

#include <algorithm>
#include <cmath>

#include "cli/configuration.h"

namespace slipway::cli {

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20U;
constexpr std::uint64_t kWorthSaving = 256 * kMiB;
constexpr Duration kLongEnough = std::chrono::seconds(10);  // for an average to mean something
constexpr double kFarBelow = 0.25, kNear = 0.9, kHeadroom = 1.5;

// A round figure with room above `peak`.
std::uint64_t memory_for(std::uint64_t peak) {
  const auto wanted = static_cast<std::uint64_t>(static_cast<double>(peak) * kHeadroom);
  for (std::uint64_t size = 64 * kMiB;; size *= 2) {
    if (wanted <= size) return size;
    if (wanted <= size + size / 2) return size + size / 2;
  }
}

std::string as_written(std::uint64_t bytes) {
  return bytes % (1024 * kMiB) == 0 ? fmt::format("{}GiB", bytes / kMiB / 1024) : fmt::format("{}MiB", bytes / kMiB);
}

void advise_on_memory(const AttemptEntry& attempt, std::vector<std::string>& advice) {
  const std::uint64_t limit = attempt.resources.memory_bytes.value_or(0), peak = memory_peak_of(attempt);
  if (limit == 0 || peak == 0) return;
  const double share = static_cast<double>(peak) / static_cast<double>(limit);
  const std::uint64_t enough = memory_for(peak);
  if (share < kFarBelow && limit >= kWorthSaving && enough < limit) {
    advice.push_back(fmt::format("memory: asked for {}, peak {}: `memory: {}` would do", size_text(limit),
                                 size_text(peak), as_written(enough)));
  } else if (share > kNear) {
    advice.push_back(fmt::format("memory: peak {} of {}: near its limit, `memory: {}` would leave room",
                                 size_text(peak), size_text(limit), as_written(memory_for(limit))));
  }
}

void advise_on_cpus(const AttemptEntry& attempt, std::vector<std::string>& advice) {
  const double limit = attempt.resources.cpus.value_or(0);
  const Duration wall = attempt.finished - attempt.started;
  std::uint64_t cpu_micros = 0;
  for (const model::StepResult& step : attempt.steps) cpu_micros += step.cpu_micros;
  if (limit <= 0 || cpu_micros == 0 || wall < kLongEnough) return;
  const double used = static_cast<double>(cpu_micros) / static_cast<double>(wall.count());
  const double enough = std::max(0.5, std::ceil(used * kHeadroom * 2) / 2);
  if (used < limit * kFarBelow && enough < limit) {
    advice.push_back(
        fmt::format("cpu: asked for {:g}, used {:.1f} on average: `cpu: {:g}` would do", limit, used, enough));
  } else if (used > limit * kNear) {
    advice.push_back(fmt::format("cpu: used {:.1f} of {:g} on average: more would make it faster", used, limit));
  }
}

}  // namespace

std::uint64_t memory_peak_of(const AttemptEntry& attempt) {
  std::uint64_t most = 0;
  for (const model::StepResult& step : attempt.steps) {
    std::uint64_t together = 0;
    for (const model::StepResult& other : attempt.steps) {
      const bool is_beside = other.started <= step.started && step.started < other.finished;
      if (is_beside || &other == &step) together += other.memory_peak_bytes;
    }
    most = std::max(most, together);
  }
  return most;
}

std::vector<std::string> advice_of(const AttemptEntry& attempt) {
  std::vector<std::string> advice;
  advise_on_memory(attempt, advice);
  advise_on_cpus(attempt, advice);
  return advice;
}

}  // namespace slipway::cli
