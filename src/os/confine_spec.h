#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "os/confine.h"

/// What the owner tells the helper of os/confine.h, on descriptor `kConfineSpec`: fields, each as `LENGTH:BYTES`. The
/// first is the working directory, then kind, name and value by turns. Both ends are of one build: no versions.
namespace slipway::os {

inline constexpr int kConfineSpec = 3;
inline constexpr int kConfineLifeline = 4;

struct ConfineOrder {
  Confinement confinement;
  std::string working_dir;
};

std::string encode_confinement(const Confinement& confinement, const std::string& working_dir);
Result<ConfineOrder> decode_confinement(std::string_view text);

}  // namespace slipway::os
