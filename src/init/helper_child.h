#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "init/identity.h"
#include "os/fd.h"

namespace slipway::init {

/// A short-lived child of init that touches the job's files with the rights of a step and tells what it found.
/// It ends with init's loop reaping it (Children).
struct HelperChild {
  pid_t pid = -1;
  os::Fd answer;  ///< what it says; read end, non-blocking
};

inline constexpr std::size_t kMaxHelperAnswer = 4U << 20U;

/// Forks; the child becomes `identity`, runs `work` and writes what it returns to the pipe: `+` and the text, or `-`,
/// the ErrorKind as one character and the message. `work` runs in a copy of init that has closed all descriptors but
/// `kept`: through init's own a path of the job's could lead out of the sandbox.
Result<HelperChild> start_helper(const Identity& identity, std::vector<int> kept,
                                 const std::function<Result<std::string>()>& work);

/// Takes such an answer apart. An empty or broken one, as of a child that was killed, is `unavailable`.
Result<std::string> helper_answer(std::string_view text);

}  // namespace slipway::init
