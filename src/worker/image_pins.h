#pragma once

#include <map>
#include <string>

#include "os/guarded.h"

namespace slipway::worker {

/// What the names of images mean in a run: all its jobs and tries get the content that the first one got, even when a
/// tag moves in between. Any thread.
class ImagePins {
 public:
  /// The pinned name, or `image` itself where none is known yet.
  std::string of(const std::string& image) {
    return pins_.with([&](Pins& pins) {
      const auto found = pins.find(image);
      return found == pins.end() ? image : found->second;
    });
  }
  /// What `image` means from now on: `pinned`, unless another job was faster.
  std::string keep(const std::string& image, const std::string& pinned) {
    return pins_.with([&](Pins& pins) { return pins.emplace(image, pinned).first->second; });
  }

 private:
  using Pins = std::map<std::string, std::string>;
  os::Guarded<Pins> pins_;
};

}  // namespace slipway::worker
