// How fast a build log goes through the masker with 1, 100 and 1,000 secrets. One JSON object a line:
// {"what","rates":[GB/s ...],"memcpy":[GB/s ...]}; bench/run prints them.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "secrets/masker.h"

using namespace slipway;

namespace {

/// A fixed sequence: the same log and secrets in each run.
class Sequence {
 public:
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::uint32_t>(state_ >> 33U);
  }

 private:
  std::uint64_t state_ = 42;
};

enum class Colours { none, many };

std::string build_log(std::size_t bytes, Colours colours) {
  static constexpr const char* kWords[] = {
      "Building", "CXX",   "object",    "src/os/CMakeFiles/slipway_os.dir/files.cc.o",     "warning:",
      "error",    "-Wall", "[123/456]", "/usr/include/c++/12/bits/basic_string.h:4521:7:", "note:"};
  Sequence sequence;
  std::string log;
  while (log.size() < bytes) {
    const char* const word = kWords[sequence.next() % std::size(kWords)];
    const bool coloured = colours == Colours::many && sequence.next() % 6 == 0;
    log += coloured ? fmt::format("\x1b[01;35m\x1b[K{}\x1b[m\x1b[K", word) : word;
    log += sequence.next() % 9 == 0 ? '\n' : ' ';
    if (sequence.next() % 40 == 0) log += fmt::format("{:08x}{:08x}", sequence.next(), sequence.next());
  }
  return log;
}

secrets::SecretSet secrets_of(std::size_t count) {
  static constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-";
  Sequence sequence;
  secrets::SecretSet set;
  for (std::size_t i = 0; i < count; ++i) {
    std::string value;
    for (std::size_t length = 20 + sequence.next() % 30; length > 0; --length)
      value += kLetters[sequence.next() % kLetters.size()];
    (void)set.add(value);  // none of these is weak
  }
  return set;
}

template <class F>
double gigabytes_per_second(std::size_t bytes, const F& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return static_cast<double>(bytes) / 1e9 /
         std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void measure(const char* what, const std::string& log, std::size_t count, const char* reach) {
  constexpr std::size_t kChunk = 64U << 10U;
  const secrets::SecretSet set = secrets_of(count);
  std::string out;
  out.reserve(log.size() + (1U << 20U));
  std::vector<double> rates, copies;
  for (int round = 0; round < 7; ++round) {
    rates.push_back(gigabytes_per_second(log.size(), [&] {
      out.clear();
      secrets::MaskingStream stream(set);
      for (std::size_t at = 0; at < log.size(); at += kChunk)
        stream.feed(std::string_view(log).substr(at, kChunk), out);
      stream.finish(out);
    }));
    copies.push_back(gigabytes_per_second(log.size(), [&] {
      out.clear();
      for (std::size_t at = 0; at < log.size(); at += kChunk) out.append(log, at, kChunk);
    }));
  }
  fmt::print("{{\"what\":\"{}, {} secrets\",\"rates\":[{:.3f}],\"memcpy\":[{:.3f}],\"reach\":\"{}\"}}\n", what, count,
             fmt::join(rates, ","), fmt::join(copies, ","), reach);
}

}  // namespace

int main() {
  constexpr std::size_t kLogBytes = 128U << 20U;
  const std::string log = build_log(kLogBytes, Colours::none);
  for (const std::size_t count : {1U, 100U, 1000U}) measure("masking", log, count, count == 100 ? ">= 1 GB/s" : "");
  measure("masking a coloured log", build_log(kLogBytes, Colours::many), 100, ">= 1 GB/s");
}
