#pragma once

#include "init/entry.h"
#include "init/owner_link.h"

namespace slipway::init {

/// Runs the one step of a sibling (wire::Orders::sibling): untrusted source, with no control socket, no secret and no
/// journal. The exit status of init.
int run_sibling(Entry entry, Poller& poller, OwnerLink& owner, OwnerLink::Received received);

}  // namespace slipway::init
