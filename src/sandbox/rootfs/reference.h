#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

/// Images by name: what a user may write, and what it means. Pure.
namespace slipway::sandbox::rootfs {

/// `[REGISTRY/]NAME[:TAG][@sha256:...]` as docker reads it (registry docker.io, there `library/` before a single
/// name, tag `latest`); `oci:DIR[:TAG]`, `docker-archive:FILE` (absolute paths); `docker-daemon:NAME[:TAG]`, of the
/// local Docker; `sha256:ID`, an image that is here already, by the digest of its configuration.
struct ImageReference {
  enum class Source { registry, oci_layout, docker_archive, docker_daemon, here } source = Source::registry;
  std::string name;    ///< with registry; of a layout or an archive its path
  std::string tag;     ///< empty: a digest says which, or it has none
  std::string digest;  ///< `sha256:...`; empty: the tag says which

  /// The one text of all that mean the same: `docker.io/library/debian:12`.
  std::string text() const;
  /// Its content cannot change.
  bool is_pinned() const { return !digest.empty(); }
  /// For Source::registry: its host with port.
  std::string_view registry() const { return std::string_view(name).substr(0, name.find('/')); }
};

/// When a registry is asked.
enum class Pull {
  missing,  ///< what is here is used as it is
  always,   ///< what a tag means now; only what differs is fetched
  never,    ///< no network; what is not here is an error
};
/// The error of Pull::never.
std::unexpected<Error> not_to_be_fetched();

/// Errors: `invalid`, with what is wrong.
Result<ImageReference> parse_reference(std::string_view text);

}  // namespace slipway::sandbox::rootfs
