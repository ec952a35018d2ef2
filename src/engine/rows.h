#pragma once

#include "engine/dispatcher.h"
#include "model/transitions.h"
#include "store/store.h"

/// From what the model decided to what the store keeps. Private to engine/.
namespace slipway::engine {

store::RunRow row_of(const Submission& submission, const std::string& owner);
/// What changes in a run's row.
store::RunRow row_of(const model::Run& run, const std::string& owner);
store::JobRow row_of(const model::Run& run, model::JobIndex job);

/// Appends the rows of everything in `changes` but its jobs, which are written once a batch. Progress is not kept.
void add_rows(const model::Run& run, const model::Changes& changes, const std::string& owner, Time now,
              store::Batch& batch);

}  // namespace slipway::engine
