#pragma once

#include <memory>

#include "base/log.h"
#include "cli/configuration.h"
#include "sandbox/rootfs/image_store.h"
#include "sandbox/sandbox.h"

namespace slipway::program {

/// The only place that knows which sandbox backends there are. `name`: `native` or `fake`.
Result<std::unique_ptr<sandbox::SandboxBackend>> make_backend(const std::string& name, const cli::Settings& settings,
                                                              Log& log);

/// `slipway-init`: beside this program, or where packages put it. `not_found` says where it was looked for.
Result<std::filesystem::path> find_init_program();
/// `slipway-unpack`, in the same places.
Result<std::filesystem::path> find_unpack_program();
/// What sandboxes get at wire::kSdkInside of their workspace; empty: it is not installed.
std::filesystem::path find_sdk();
/// The images that the native backend has fetched.
Result<sandbox::rootfs::ImageStore> open_images(const cli::Settings& settings);

/// Of the machine (/run/slipway), or rootless of the user ($XDG_RUNTIME_DIR/slipway).
std::filesystem::path runtime_dir();

}  // namespace slipway::program
