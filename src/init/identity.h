#pragma once

#include <sys/types.h>

#include <string>

#include "base/error.h"
#include "init/entry.h"
#include "model/definition.h"

namespace slipway::init {

/// Who a step is.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;  ///< USER
  std::string home;
  int user_namespace = -1;  ///< to be entered first (a step that runs as root); -1: none
  bool switches = true;     ///< false: nothing to change, the sandbox has one id only
};

/// `invalid` for a number that no step may have: init's own, or one that is not mapped.
Result<Identity> identity_of(const model::RunAs& run_as, const Entry& entry);

/// Turns the calling process, a fresh child of init, into `identity`, without any capability that it should not have.
/// Only system calls. False: errno says why.
bool become(const Identity& identity);

}  // namespace slipway::init
