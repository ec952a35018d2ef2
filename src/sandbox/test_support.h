#pragma once

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "os/subprocess.h"
#include "sandbox/docker/docker_backend.h"
#include "sandbox/fake/fake_backend.h"
#include "sandbox/native/test_support.h"

/// The backends that a contract is proved for.
namespace slipway::sandbox {

inline constexpr const char* kDockerImage = "slipway-contract-test:shell";

struct Kind {
  std::string name;
  /// With this program as their init.
  std::function<Result<std::unique_ptr<SandboxBackend>>(const TestPlace&, const char*, Log&)> make;
  std::string image = "host";
  bool runs_commands = true;  ///< else it only plays
};

inline void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

/// With a shell, which is all that slipway-init for tests needs of it.
inline Result<void> import_image(docker::Engine& engine, const TestPlace& place) {
  const std::string target = std::string("/images/") + kDockerImage + "/json";
  if (engine.get(target, os::within(std::chrono::seconds(10)))) return {};
  const std::filesystem::path root = place.path() / "image";
  if (!std::filesystem::exists("/bin/busybox")) return fail(ErrorKind::not_found, "no static busybox here");
  std::filesystem::create_directories(root / "bin");
  std::filesystem::copy("/bin/busybox", root / "bin" / "busybox");
  for (const char* name : {"sh", "sleep", "tail"}) std::filesystem::create_symlink("busybox", root / "bin" / name);
  constexpr std::size_t kMostTar = 16U << 20U;
  SW_TRY(const os::CommandOutput tar, os::run_command({.argv = {"tar", "-C", root.string(), "-c", "."}}, kMostTar,
                                                      os::within(std::chrono::seconds(10))));
  SW_CHECK(engine.post(std::string("/images/create?fromSrc=-&repo=") + "slipway-contract-test&tag=shell", tar.out,
                       os::within(std::chrono::seconds(10))));
  return {};
}

/// A daemon that runs already.
inline Result<std::unique_ptr<SandboxBackend>> make_docker(const TestPlace& place, const char* init, Log& log) {
  const char* host = std::getenv("DOCKER_HOST");
  const std::string docker_host = host != nullptr ? host : "";
  SW_TRY(const std::filesystem::path socket, docker::daemon_socket(docker_host));
  docker::Engine engine(socket);
  SW_CHECK(engine.negotiate(os::within(std::chrono::seconds(10))));
  SW_CHECK(import_image(engine, place));
  return docker::DockerBackend::open({place.path() / "state", init, docker_host}, log);
}

inline const auto kBackends = testing::Values(
    Kind{"fake",
         [](const TestPlace&, const char*, Log&) -> Result<std::unique_ptr<SandboxBackend>> {
           return FakeBackend::create();
         },
         "host", false},
    Kind{"native",
         [](const TestPlace& place, const char* init, Log& log) -> Result<std::unique_ptr<SandboxBackend>> {
           native::NativeOptions options = place.options();
           options.init_program = init;
           return native::NativeBackend::open(options, log);
         }},
    Kind{"docker", make_docker, kDockerImage});
inline const auto kNameOfBackend = [](const auto& backend) { return backend.param.name; };

}  // namespace slipway::sandbox
