#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "unpack/tree_writer.h"

namespace slipway::unpack {

struct ReadLimits {
  std::uint32_t most_ratio = 0;  ///< TreeWriter holds the others
  bool digest = false;
  std::uint64_t most_stream = 0;  ///< bytes without compression, headers included
};

/// Reads the archive at `fd` to its end into `tree`. The answer is `sha256:...` of it without compression, if wanted.
Result<std::string> unpack_archive(int fd, const ReadLimits& limits, Policy::Content content, TreeWriter& tree);

}  // namespace slipway::unpack
