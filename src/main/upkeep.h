#pragma once

#include <cstdint>
#include <filesystem>

#include "base/log.h"
#include "cli/configuration.h"
#include "source/checkout_store.h"
#include "store/store.h"
#include "worker/artifacts.h"

/// What keeps the state directory from growing for ever.
namespace slipway::program {

/// A run's files, artifacts' notes included, and its rows; bytes of the files. Content that only it had is left to
/// `sweep_content`. Interrupted, it is still listed and can be removed again.
Result<std::uint64_t> remove_run(store::Store& store, const std::filesystem::path& state_dir, const RunId& run);

/// Artifacts that expired, and content that no run has any more; bytes of the content. Any process, at any time: what
/// is in use stays.
Result<std::uint64_t> sweep_content(worker::Artifacts& artifacts);

/// Once a day, over all processes (`upkeep.stamp`): removes the oldest runs but `history_runs`, sweeps content, files
/// of concurrency groups, checkouts that no job used for two weeks, and images over `image_bytes` with what killed
/// fetches left. Otherwise it costs one stat(2). Runs of living processes and what they use stay. What goes wrong is
/// logged: the next day tries again.
void keep_house(store::Store& store, worker::Artifacts& artifacts, const source::CheckoutStore& checkouts,
                const cli::Settings& settings, Log& log);

}  // namespace slipway::program
