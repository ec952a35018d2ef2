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

namespace {

std::filesystem::path own_path() {
  std::error_code unknown;
  return std::filesystem::read_symlink("/proc/self/exe", unknown);
}

// Beside this program, or where packages put it; empty: nowhere.
std::filesystem::path find_part(const std::string& name, int access) {
  const std::filesystem::path beside = own_path().parent_path();
  for (const std::filesystem::path& path :
       {beside / name, beside / "../lib/slipway" / name, std::filesystem::path("/usr/lib/slipway") / name}) {
    if (::access(path.c_str(), access) == 0) return std::filesystem::weakly_canonical(path);
  }
  return {};
}

Result<std::filesystem::path> find_program(const std::string& name) {
  std::filesystem::path found = find_part(name, X_OK);
  if (!found.empty()) return found;
  const std::filesystem::path self = own_path();
  return fail(ErrorKind::not_found, name + " is not beside " + self.string() + " nor in /usr/lib/slipway");
}

}  // namespace

Result<std::filesystem::path> find_init_program() { return find_program("slipway-init"); }
Result<std::filesystem::path> find_unpack_program() { return find_program("slipway-unpack"); }
std::filesystem::path find_sdk() {
  const std::filesystem::path header = find_part("sdk/include/slipway.hpp", R_OK);
  return header.parent_path().parent_path();
}

namespace {

sandbox::rootfs::Pull pull_of(const cli::Settings& settings) {
  if (settings.pull == "always") return sandbox::rootfs::Pull::always;
  return settings.pull == "never" ? sandbox::rootfs::Pull::never : sandbox::rootfs::Pull::missing;
}

Result<sandbox::native::NativeOptions> native_options(const cli::Settings& settings) {
  sandbox::native::NativeOptions options;
  options.state_dir = settings.state_dir;
  options.runtime_dir = runtime_dir();
  SW_TRY(options.init_program, find_init_program());
  options.host_paths = settings.host_paths;
  // Only images by name need it: one that is missing is told of when such an image is asked for.
  options.unpack_program = find_unpack_program().value_or("slipway-unpack");
  options.pull = pull_of(settings);
  options.image_bytes = settings.image_bytes;
  options.pool_bytes = settings.pool_bytes;
  return options;
}

}  // namespace

Result<sandbox::rootfs::ImageStore> open_images(const cli::Settings& settings) {
  SW_TRY(const sandbox::native::NativeOptions options, native_options(settings));
  return sandbox::native::open_images(options);
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
  if (name == "docker") {
    SW_TRY(const std::filesystem::path init, find_init_program());
    const char* host = std::getenv("DOCKER_HOST");
    SW_TRY(std::unique_ptr<sandbox::docker::DockerBackend> docker,
           sandbox::docker::DockerBackend::open({.state_dir = settings.state_dir,
                                                 .init_program = init,
                                                 .docker_host = host != nullptr ? host : "",
                                                 .pull = pull_of(settings)},
                                                log));
    return docker;
  }
  SW_TRY(sandbox::native::NativeOptions options, native_options(settings));
  SW_TRY(std::unique_ptr<sandbox::native::NativeBackend> native,
         sandbox::native::NativeBackend::open(std::move(options), log));
  return native;
}

}  // namespace slipway::program
