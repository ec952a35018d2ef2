// A container of `true` from start to end inside a running process, with slipway-init and journal, in turns with the
// raw Engine API: create, start, wait, delete. Prints JSON as sandbox_bench does.
//   docker_bench SLIPWAY_INIT DOCKER_HOST IMAGE [ROUNDS]
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "one_sandbox.h"
#include "os/files.h"
#include "sandbox/docker/docker_backend.h"

using namespace slipway;
using namespace slipway::bench;
using namespace std::chrono_literals;

namespace {

namespace json = boost::json;

void one_container(sandbox::docker::Engine& engine, const std::string& image, const std::string& network) {
  const os::CallLimit limit = os::within(30s);
  const json::object wanted{{"Image", image},
                            {"Cmd", {"/bin/true"}},
                            {"HostConfig", {{"NetworkMode", network}, {"LogConfig", {{"Type", "none"}}}}}};
  const std::string made = must(engine.post("/containers/create", json::serialize(wanted), limit), "create");
  const std::string container = "/containers/" + std::string(json::parse(made).at("Id").as_string());
  must(engine.post(container + "/start", "", limit), "start");
  must(engine.post(container + "/wait", "", limit), "wait");
  must(engine.remove(container, limit), "delete");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) give_up("usage: docker_bench SLIPWAY_INIT DOCKER_HOST IMAGE [ROUNDS]");
  const int rounds = argc > 4 ? std::atoi(argv[4]) : 30;
  std::string pattern = "/var/tmp/slipway-docker-bench-XXXXXX";
  const std::filesystem::path place = ::mkdtemp(pattern.data());
  std::filesystem::create_directory(place / "journals");
  StderrLog log(LogLevel::warn);
  {
    const auto backend =
        must(sandbox::docker::DockerBackend::open({place / "state", argv[1], argv[2]}, log), "backend");
    const sandbox::ImageFacts image = must(backend->prepare_image(argv[3], {}, os::within(30s)), "image");
    sandbox::docker::Engine engine(must(sandbox::docker::daemon_socket(argv[2]), "socket"));
    must(engine.negotiate(os::within(10s)), "version");
    for (const bool nat : {false, true}) {
      std::vector<double> ours, baseline;
      for (int round = -2; round < rounds; ++round) {  // two to warm up
        const double mine = seconds([&] {
          sandbox::SandboxSpec spec;
          spec.image = image.image;
          spec.network = nat ? model::Network::nat : model::Network::none;
          one_sandbox(*backend, std::move(spec), "/bin/true", place / "journals");
        });
        const double theirs = seconds([&] { one_container(engine, image.image, nat ? "slipway" : "none"); });
        if (round < 0) continue;
        ours.push_back(mine);
        baseline.push_back(theirs);
      }
      fmt::print(
          "{{\"what\":\"container of true, network {}\",\"ours\":[{:.6f}],\"baseline_name\":\"raw Engine API\","
          "\"baseline\":[{:.6f}],\"reach\":\"{}\"}}\n",
          nat ? "nat" : "none", fmt::join(ours, ","), fmt::join(baseline, ","), nat ? "" : "<= 1.1 x");
      std::fflush(stdout);
    }
  }
  (void)os::remove_tree(place);  // only untidy if it fails
}
