#pragma once

#include <cstdint>

#include "base/error.h"

namespace slipway::sandbox {

struct InitIdentity {
  int user_namespace = -1;          ///< entered first; -1: it stays in the one it is in
  std::uint32_t id = 0;             ///< kInitId, or the only one there is
  bool single_id = false;           ///< no other id is mapped: groups cannot be dropped
  std::uint64_t process_limit = 0;  ///< by rlimit, for each id of the sandbox. 0: none
};

/// Turns the first process of a sandbox, its root so far, into what `init::Entry` describes: its id, its capabilities,
/// no_new_privs, a session keyring of its own, no core file, not dumpable. The last step of setting up: from here on it
/// has no power over its mounts and network.
Result<void> become_init(const InitIdentity& identity);

}  // namespace slipway::sandbox
