#include "main/backends.h"

#include <unistd.h>

#include <cstdlib>

#include <fmt/format.h>

#include "sandbox/docker/docker_backend.h"
#include "sandbox/fake/fake_backend.h"
#include "sandbox/native/native_backend.h"

namespace slipway::program {

std::filesystem::path runtime_dir() {
  if (::geteuid() == 0) return "/run/slipway";
  if (const char* user = std::getenv("XDG_RUNTIME_DIR"); user != nullptr && *user != '\0') {
    return std::filesystem::path(user) / "slipway";
  }
  return fmt::format("/tmp/slipway-{}", ::geteuid());
}

Result<std::filesystem::path> find_init_program() {
  std::error_code unknown;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", unknown);
  const std::filesystem::path beside = self.parent_path();
  for (const std::filesystem::path& path : {beside / "slipway-init", beside / "../lib/slipway/slipway-init",
                                            std::filesystem::path("/usr/lib/slipway/slipway-init")}) {
    if (::access(path.c_str(), X_OK) == 0) return std::filesystem::weakly_canonical(path);
  }
  return fail(ErrorKind::not_found, "slipway-init is not beside " + self.string() + " nor in /usr/lib/slipway");
}

Result<std::unique_ptr<sandbox::SandboxBackend>> make_backend(const std::string& name, const cli::Settings& settings,
                                                              Log& log) {
  if (name == "fake") {
    SW_TRY(std::unique_ptr<sandbox::FakeBackend> fake, sandbox::FakeBackend::create());
    return fake;
  }
  if (name != "native" && name != "docker") {
    return fail(ErrorKind::invalid, "unknown backend `" + name + "`: native, docker or fake");
  }
  SW_TRY(const std::filesystem::path init, find_init_program());
  if (name == "docker") {
    const char* host = std::getenv("DOCKER_HOST");
    SW_TRY(
        std::unique_ptr<sandbox::docker::DockerBackend> docker,
        sandbox::docker::DockerBackend::open(
            {.state_dir = settings.state_dir, .init_program = init, .docker_host = host != nullptr ? host : ""}, log));
    return docker;
  }
  SW_TRY(std::unique_ptr<sandbox::native::NativeBackend> native,
         sandbox::native::NativeBackend::open({.state_dir = settings.state_dir,
                                               .runtime_dir = runtime_dir(),
                                               .init_program = init,
                                               .host_paths = settings.host_paths,
                                               .pool_bytes = settings.pool_bytes},
                                              log));
  return native;
}

}  // namespace slipway::program
