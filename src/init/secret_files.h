#pragma once

#include <map>
#include <string>
#include <vector>

#include "init/identity.h"
#include "init/own_directory.h"
#include "model/job_spec.h"

namespace slipway::init {

/// Writes the secrets of `uses` that ask for a file: 0400, owned by `identity`, directly in `directory` (a tmpfs that
/// only init can write to; null where no secrets were given). Written anew where it is there already.
/// `invalid`: another place was asked for.
Result<void> write_secret_files(const std::vector<model::SecretUse>& uses,
                                const std::map<std::string, std::string>& values, const Identity& identity,
                                const OwnDirectory* directory);

}  // namespace slipway::init
