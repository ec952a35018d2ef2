#pragma once

#include <string>

#include "sandbox/docker/engine.h"
#include "sandbox/rootfs/reference.h"
#include "sandbox/sandbox.h"

namespace slipway::sandbox::docker {

/// SandboxBackend::prepare_image: the daemon's own image, or as `when` says pulled by it. What is of a registry is
/// called `NAME@sha256:...` from then on, as on native, else by its id; `docker-daemon:NAME` never is of one.
Result<ImageFacts> prepare_image(Engine& engine, const std::string& image, rootfs::Pull when,
                                 const ImageProgress& progress, const os::CallLimit& limit);

/// From the daemon's answer about the image `reference`.
Result<ImageFacts> read_image(std::string_view json, const rootfs::ImageReference& reference);

}  // namespace slipway::sandbox::docker
