// The masker on a build log, by number of secrets; beside it memcpy (the bound) and a loop of memmem over the plain
// values alone. Usage: masker_growth_bench [MiB] [ROUNDS]
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "measure.h"
#include "secrets/masker.h"

using namespace slipway;

namespace {

constexpr int kLinesPerSecret = 2000;

std::string token(std::mt19937& random, std::size_t length) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/+=!@ &\"";
  std::string text;
  while (text.size() < length) text.push_back(kLetters[random() % kLetters.size()]);
  return text;
}

/// Compiler calls, test results, downloads, progress; about 140 bytes a line.
std::string build_log(std::size_t bytes, const std::vector<std::string>& planted) {
  std::mt19937 random(1);
  constexpr std::array<std::string_view, 12> kWords = {"engine", "store",  "parser", "network", "buffer", "string",
                                                       "config", "runner", "status", "module",  "kernel", "thread"};
  const auto word = [&] { return kWords[random() % kWords.size()]; };
  std::string log;
  log.reserve(bytes + 4096);
  for (std::size_t line = 0; log.size() < bytes; ++line) {
    switch (random() % 5) {
      case 0:
        log += fmt::format(
            "[{}/{}] /usr/bin/c++ -I/job/src/{} -O2 -g -DNDEBUG -std=c++20 -MD -MT CMakeFiles/{}.dir/{}.cc.o -c "
            "/job/src/{}/{}.cc\n",
            line % 900, 900, word(), word(), word(), word(), word());
        break;
      case 1:
        log += fmt::format(
            "2026-11-21T08:{:02}:{:02}.{:03}Z INFO  {}: {} of {} took {} ms (cache hit, key {:016x}{:016x})\n",
            random() % 60, random() % 60, random() % 1000, word(), word(), word(), random() % 5000, random(), random());
        break;
      case 2:
        log += fmt::format("test {}::{}::returns_{}_when_{}_is_empty ... ok ({:.3f}s)\n", word(), word(), word(),
                           word(), 0.001 * static_cast<double>(random() % 999));
        break;
      case 3:
        log +=
            fmt::format("Get:{} http://mirror.example/debian bookworm/main amd64 lib{}-{}-dev amd64 {}.{}-{} [{} kB]\n",
                        line, word(), word(), random() % 9, random() % 30, random() % 9, random() % 9000);
        break;
      default:
        log += fmt::format("src/{}/{}.cc:{}:{}: warning: unused variable '{}_{}' [-Wunused-variable]\n", word(), word(),
                           random() % 900, random() % 80, word(), word());
    }
    if (!planted.empty() && line % kLinesPerSecret == 0) log += "token=" + planted[random() % planted.size()] + "\n";
  }
  return log;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t mebibytes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 128;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  std::mt19937 random(2);
  std::vector<std::string> values;
  for (int i = 0; i < 1000; ++i) values.push_back(token(random, 12 + random() % 36));
  const std::string log = build_log(mebibytes << 20U, values);
  const double gigabytes = static_cast<double>(log.size()) / 1e9;
  std::string out;
  out.resize(log.size() + (1U << 20U));

  const double copy = bench::median_cpu_seconds(rounds, [&] { std::memcpy(out.data(), log.data(), log.size()); });
  fmt::print("build log of {} MiB, median of {}\n{:24} {:7.2f} GB/s\n", mebibytes, rounds, "memcpy", gigabytes / copy);

  for (const std::size_t count :
       {std::size_t{1}, std::size_t{20}, std::size_t{100}, std::size_t{300}, std::size_t{1000}}) {
    secrets::SecretSet set;
    const double add = bench::median_cpu_seconds(1, [&] {
      for (std::size_t i = 0; i < count; ++i) (void)set.add(values[i]);  // none of these is weak
    });
    for (const std::size_t chunk : {std::size_t{4} << 10U, std::size_t{64} << 10U}) {
      std::uint64_t masks = 0;
      const double seconds = bench::median_cpu_seconds(rounds, [&] {
        secrets::MaskingStream stream(set);
        out.clear();
        for (std::size_t at = 0; at < log.size(); at += chunk)
          stream.feed(std::string_view(log).substr(at, chunk), out);
        stream.finish(out);
        masks = stream.masked_count();
      });
      fmt::print(
          "{:4} secrets {:3} KiB chunks {:7.2f} GB/s  {:.2f} of memcpy  {} needles added in {:.1f} ms, {} masks\n",
          count, chunk >> 10U, gigabytes / seconds, copy / seconds, set.needle_count(), add * 1e3, masks);
    }
  }

  const std::string_view part = std::string_view(log).substr(0, 8U << 20U);
  std::size_t found = 0;
  const double loop = bench::median_cpu_seconds(rounds, [&] {
    for (std::size_t i = 0; i < 100; ++i) {
      const char* at = part.data();
      const char* const end = part.data() + part.size();
      while ((at = static_cast<const char*>(
                  ::memmem(at, static_cast<std::size_t>(end - at), values[i].data(), values[i].size()))) != nullptr) {
        ++found;
        at += values[i].size();
      }
    }
  });
  fmt::print("{:24} {:7.3f} GB/s  (100 plain values, 8 MiB, {} found)\n", "memmem loop",
             static_cast<double>(part.size()) / 1e9 / loop, found);
  return 0;
}
