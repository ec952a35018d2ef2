#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace slipway::bench {

/// Seconds of this thread's processor time, which other programs on the machine disturb less than the clock's.
inline double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The median of `rounds` runs of `body`, in processor seconds: for single-threaded work that never waits.
template <class F>
double median_cpu_seconds(int rounds, F&& body) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const double start = cpu_seconds();
    body();
    times.push_back(cpu_seconds() - start);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

/// Seconds that `body` takes: the median of `rounds` runs.
template <class F>
double median_seconds(int rounds, F&& body) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace slipway::bench
