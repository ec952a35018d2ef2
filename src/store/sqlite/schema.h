#pragma once

#include "base/error.h"
#include "store/sqlite/database.h"

namespace slipway::store {

/// Is the schema the one of this build? False for a new file. `internal` as of `migrate`.
Result<bool> is_current(Database& database);

/// Brings the schema up to date. PRAGMA user_version counts the migrations that were made; each is one transaction.
/// `internal`: the file was written by a newer Slipway.
Result<void> migrate(Database& database);

}  // namespace slipway::store
