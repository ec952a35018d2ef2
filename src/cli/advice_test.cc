#include "cli/advice.h"

#include <gtest/gtest.h>

namespace slipway::cli {
namespace {

using namespace std::chrono_literals;
constexpr std::uint64_t kMiB = 1ULL << 20U;

AttemptEntry attempt_of(std::uint64_t limit_mib, std::uint64_t peak_mib) {
  AttemptEntry attempt;
  attempt.resources.memory_bytes = limit_mib * kMiB;
  attempt.started = Time(0s);
  attempt.finished = Time(60s);
  model::StepResult step;
  step.memory_peak_bytes = peak_mib * kMiB;
  step.started = Time(0s);
  step.finished = Time(60s);
  attempt.steps.push_back(step);
  return attempt;
}

std::string advice(const AttemptEntry& attempt) {
  const auto all = advice_of(attempt);
  return all.empty() ? "" : all.front();
}

TEST(Advice, MemoryFarBelowItsLimitIsToldWithAFigureToWrite) {
  EXPECT_EQ(advice(attempt_of(4096, 600)), "memory: asked for 4.0 GiB, peak 600.0 MiB: `memory: 1GiB` would do");
  EXPECT_EQ(advice(attempt_of(4096, 3000)), "");
  EXPECT_EQ(advice(attempt_of(128, 1)), "");  // nothing worth saving
}

TEST(Advice, MemoryNearItsLimitIsTold) {
  EXPECT_NE(advice(attempt_of(1024, 1000)).find("near its limit"), std::string::npos);
}

TEST(Advice, StepsThatRanAtOnceCountTogether) {
  AttemptEntry attempt = attempt_of(4096, 600);
  attempt.steps.push_back(attempt.steps.front());
  EXPECT_EQ(memory_peak_of(attempt), 1200 * kMiB);
  attempt.steps.back().started = Time(60s);
  attempt.steps.back().finished = Time(90s);
  EXPECT_EQ(memory_peak_of(attempt), 600 * kMiB);
}

TEST(Advice, ProcessorsThatIdleAreTold) {
  AttemptEntry attempt = attempt_of(4096, 3000);
  attempt.resources.cpus = 4;
  attempt.steps.front().cpu_micros = 36'000'000;
  EXPECT_EQ(advice(attempt), "cpu: asked for 4, used 0.6 on average: `cpu: 1` would do");
  attempt.finished = Time(5s);  // too short to tell
  EXPECT_EQ(advice(attempt), "");
}

TEST(Advice, LimitsThatNobodySetGetNone) {
  AttemptEntry attempt = attempt_of(4096, 10);
  attempt.resources = {};
  EXPECT_EQ(advice(attempt), "");
}

}  // namespace
}  // namespace slipway::cli
