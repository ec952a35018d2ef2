#pragma once

#include <span>
#include <vector>

#include "base/error.h"
#include "os/call_limit.h"

namespace slipway::os {

/// Blocks until `fd` is readable or hung up. Any thread. Errors: `cancelled`, `timeout`, `exhausted` (no fds left).
Result<void> wait_readable(int fd, const CallLimit& limit);

constexpr std::size_t kMaxWaited = 1024;

/// As above for several descriptors, at most kMaxWaited: the indexes of those that are readable or hung up.
Result<std::vector<std::size_t>> wait_any_readable(std::span<const int> fds, const CallLimit& limit);

}  // namespace slipway::os
