#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "store/store.h"

namespace slipway::store {

struct SqliteOptions {
  std::filesystem::path file;
  std::chrono::milliseconds busy_timeout{10'000};
};

/// Opens or creates a store in one SQLite file (WAL beside it), bringing its schema up to date. An existing, current
/// file costs well under 2 ms. Errors: as of Store; `internal` for a schema newer than this build's.
Result<std::unique_ptr<Store>> open_sqlite(const SqliteOptions& options);

}  // namespace slipway::store
