#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "os/call_limit.h"
#include "sandbox/rootfs/reference.h"

/// The program that speaks with registries, layouts, archives and the local Docker. It finds credentials where docker
/// and podman keep them (`docker login`, `skopeo login`, $REGISTRY_AUTH_FILE), trust in /etc/containers/policy.json
/// and other registries' settings in /etc/containers/registries.conf. A registry on this machine may speak http.
namespace slipway::sandbox::rootfs {

/// Can anything be fetched here?
bool has_skopeo();

/// The manifest, or the index of several machines' manifests, that a name in a registry has now, byte by byte.
/// Errors: `not_found` (no such image, or no skopeo), `denied`, `unavailable`.
Result<std::string> ask_manifest(const ImageReference& reference, const os::CallLimit& limit);

/// The size of all layers together, from what `ask_manifest` gave for `reference`; 0 where that cannot be told. Never
/// fails: it is for people.
std::uint64_t size_of(const ImageReference& reference, std::string_view manifest, const os::CallLimit& limit);

/// Copies it into the OCI layout at `layout`, its blobs into `blobs` (those that are there already are not fetched).
/// `waiting` is called four times a second; its error ends the copying.
Result<void> copy_to_layout(const ImageReference& reference, const std::filesystem::path& layout,
                            const std::filesystem::path& blobs, const std::function<Result<void>()>& waiting,
                            const os::CallLimit& limit);

}  // namespace slipway::sandbox::rootfs
