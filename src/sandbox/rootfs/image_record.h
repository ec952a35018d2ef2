#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

/// What is remembered of an image, and how the documents that describe one are read. All of it comes from strangers.
namespace slipway::sandbox::rootfs {

struct ImageLayer {
  std::string diff;  ///< `sha256:...` of the layer's archive without compression: its name here
  std::string blob;  ///< ... and as it was fetched
};

struct ImageConfig {
  std::vector<std::string> entrypoint, command;
  std::vector<std::pair<std::string, std::string>> env;
  std::string working_dir, user;
};

struct ImageRecord {
  std::string id;                  ///< `sha256:...` of its configuration
  std::string manifest;            ///< ... of its manifest, as a blob here
  std::vector<ImageLayer> layers;  ///< the lowest first
  ImageConfig config;
};

/// A name and what it meant when it was last asked.
struct KnownName {
  std::string id;
  std::string digest;  ///< in the registry or layout; empty: it has none
};
using KnownNames = std::map<std::string, KnownName>;  ///< by ImageReference::text()

/// `sha256:` and 64 hexadecimal digits: nothing else becomes part of a path.
bool is_digest(std::string_view text);
/// The digits alone.
std::string digits_of(std::string_view digest);

/// From an OCI layout's `index.json`: the digest of its only manifest. `invalid`: it has none, or is broken.
Result<std::string> manifest_of_index(std::string_view json);
/// From an index of several machines' manifests: the digest of this one's; empty: it has none, or that is no index.
std::string manifest_for_this_machine(std::string_view json);
/// `sha256:...` of a document.
std::string digest_of(std::string_view text);
/// From a manifest and the configuration that it names (read by `read_blob`). Checks every digest and limit.
struct ManifestFacts {
  std::string config;
  std::vector<std::string> blobs;  ///< the lowest layer first
  std::uint64_t bytes = 0;         ///< to be fetched, if none is here
};
Result<ManifestFacts> read_manifest(std::string_view json);
Result<ImageRecord> read_config(std::string_view json, const ManifestFacts& manifest);

std::string encode(const ImageRecord& record);
Result<ImageRecord> decode_record(std::string_view json);
std::string encode(const KnownNames& names);
Result<KnownNames> decode_names(std::string_view json);

}  // namespace slipway::sandbox::rootfs
