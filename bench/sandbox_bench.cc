// A sandbox of `true` from start to end inside a running process, with slipway-init, journal and every limit, in turns
// with bwrap on the same root: back to back and with 50 ms idle gaps, without a network and with nat. Prints one JSON
// object a line: {"what","ours":[s ...],"baseline_name","baseline":[s ...],"reach"}; bench/run shows them.
// With IMAGE: in that image, in turns with `image: host`.
//   sandbox_bench SLIPWAY_INIT [ROUNDS [IMAGE]]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "one_sandbox.h"
#include "os/files.h"
#include "os/subprocess.h"
#include "sandbox/native/native_backend.h"

using namespace slipway;
using namespace slipway::bench;
using namespace std::chrono_literals;

namespace {

void one_bwrap() {
  static const std::vector<std::string> kArgv = {
      "bwrap",   "--ro-bind", "/usr",      "/usr",    "--ro-bind", "/etc",      "/etc",          "--symlink",
      "usr/bin", "/bin",      "--symlink", "usr/lib", "/lib",      "--symlink", "usr/lib64",     "/lib64",
      "--proc",  "/proc",     "--dev",     "/dev",    "--tmpfs",   "/tmp",      "--unshare-all", "--die-with-parent",
      "true"};
  os::Subprocess::Options options;
  options.argv = kArgv;
  os::Subprocess child = must(os::Subprocess::start(options), "bwrap");
  if (must(child.wait(os::within(10s)), "bwrap") != 0) give_up("bwrap failed");
}

void print(const std::string& what, const std::vector<double>& ours, const char* baseline_name,
           const std::vector<double>& baseline, const char* reach) {
  fmt::print("{{\"what\":\"{}\",\"ours\":[{:.6f}],\"baseline_name\":\"{}\",\"baseline\":[{:.6f}],\"reach\":\"{}\"}}\n",
             what, fmt::join(ours, ","), baseline_name, fmt::join(baseline, ","), reach);
  std::fflush(stdout);
}

double one_of_image(sandbox::SandboxBackend& backend, const std::string& image, const std::filesystem::path& journals) {
  sandbox::SandboxSpec spec;
  spec.image = image;
  spec.limits = {.memory_bytes = 512U << 20U, .cpus = 1.0, .pids = 256, .disk_bytes = 256U << 20U};
  return seconds([&] { one_sandbox(backend, std::move(spec), "/usr/bin/true", journals); });
}

void compare_with_host(sandbox::SandboxBackend& backend, const std::string& image, int rounds,
                       const std::filesystem::path& journals) {
  const std::string pinned = must(backend.prepare_image(image, {}, os::within(10min)), "image").image;
  std::vector<double> ours, baseline;
  for (int round = -3; round < rounds; ++round) {  // three to warm up
    const double mine = one_of_image(backend, pinned, journals);
    const double theirs = one_of_image(backend, "host", journals);
    if (round < 0) continue;
    ours.push_back(mine);
    baseline.push_back(theirs);
  }
  print("sandbox of true, start to end, in an image", ours, "image: host", baseline, "< 10 ms");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) give_up("usage: sandbox_bench SLIPWAY_INIT [ROUNDS [IMAGE]]");
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 200;
  std::string pattern = "/var/tmp/slipway-sandbox-bench-XXXXXX";
  const std::filesystem::path place = ::mkdtemp(pattern.data());
  std::filesystem::create_directory(place / "journals");
  StderrLog log(LogLevel::warn);
  {
    const auto backend = must(sandbox::native::NativeBackend::open(
                                  {.state_dir = place / "state",
                                   .runtime_dir = place / "runtime",
                                   .init_program = argv[1],
                                   .unpack_program = std::filesystem::path(argv[1]).replace_filename("slipway-unpack")},
                                  log),
                              "backend");
    if (argc > 3) {
      compare_with_host(*backend, argv[3], rounds, place / "journals");
      return os::remove_tree(place) ? 0 : 1;
    }
    const bool has_nat = backend->capabilities().network_nat;
    struct Shape {
      const char* name;
      model::Network network;
      std::uint64_t disk_bytes;  // up to half of the memory: a tmpfs; above: a subvolume of the btrfs pool
      const char* reach;
    };
    for (const Shape& shape : {Shape{"network none", model::Network::none, 256U << 20U, "<= 1.2 x"},
                               Shape{"network nat", model::Network::nat, 256U << 20U, ""},
                               Shape{"network none, disk in the pool", model::Network::none, 1U << 30U, ""}}) {
      if (shape.network == model::Network::nat && !has_nat) continue;
      for (const auto gap : {0ms, 50ms}) {
        std::vector<double> ours, baseline;
        for (int round = -3; round < rounds / (gap == 0ms ? 1 : 4); ++round) {  // three to warm up
          std::this_thread::sleep_for(gap);  // tidy: allow sleep (an idle machine is what is measured)
          const double mine = seconds([&] {
            sandbox::SandboxSpec spec;
            spec.network = shape.network;
            spec.limits = {.memory_bytes = 512U << 20U, .cpus = 1.0, .pids = 256, .disk_bytes = shape.disk_bytes};
            one_sandbox(*backend, std::move(spec), "/usr/bin/true", place / "journals");
          });
          std::this_thread::sleep_for(gap);  // tidy: allow sleep (as above)
          const double theirs = seconds(one_bwrap);
          if (round < 0) continue;
          ours.push_back(mine);
          baseline.push_back(theirs);
        }
        print(fmt::format("sandbox of true, {}, {}", shape.name, gap == 0ms ? "back to back" : "50 ms gaps"), ours,
              "bwrap", baseline, shape.reach);
      }
    }
  }
  (void)os::remove_tree(place);  // only untidy if it fails
}
