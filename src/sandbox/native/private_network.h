#pragma once

#include "sandbox/private_network.h"

/// What the set-up of native sandboxes does for a job's private network.
namespace slipway::sandbox::native {

/// In the job's set-up, in its new network namespace: lets it pass on between its services.
Result<void> become_middle();

/// In a service's set-up, in its new network namespace: links it with `middle`, the job's.
Result<void> join_middle(const PrivateNetwork& network, int middle);

}  // namespace slipway::sandbox::native
