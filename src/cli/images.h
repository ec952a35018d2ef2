#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "cli/runs.h"

namespace slipway::cli {

/// An image that was fetched for the native backend.
struct ImageEntry {
  std::string id;
  std::vector<std::pair<std::string, std::string>> names;  ///< with the digest that each had when it was asked
  std::uint64_t bytes = 0, layers = 0;
  Time last_used{};
  bool in_use = false;
};

/// `slipway images ls`: a line an image, or an object a line.
std::string list_images(const std::vector<ImageEntry>& images, const RunsStyle& style);
/// `slipway images rm`, `prune`: what went.
std::string removed_images(const std::vector<ImageEntry>& images, std::uint64_t freed_bytes, const RunsStyle& style);

}  // namespace slipway::cli
