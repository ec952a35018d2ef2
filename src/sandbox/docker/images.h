#pragma once

#include <string>

#include "sandbox/docker/engine.h"
#include "sandbox/sandbox.h"

namespace slipway::sandbox::docker {

/// An image's name, taken apart for the Engine API.
struct ImageName {
  std::string repository;  ///< `debian`, `registry:5000/team/tool`
  std::string reference;   ///< tag or digest; `latest` where there is none
};
/// `invalid` when it is none.
Result<ImageName> parse_image_name(const std::string& image);

/// SandboxBackend::prepare_image: the daemon's own image where it has it, else pulled.
Result<ImageFacts> prepare_image(Engine& engine, const std::string& image, const ImageProgress& progress,
                                 const os::CallLimit& limit);

}  // namespace slipway::sandbox::docker
