#pragma once

#include <string>
#include <vector>

#include "store/sqlite/database.h"
#include "store/store.h"

/// The queries of Store. Private to store/sqlite.
namespace slipway::store {

Result<RunPage> list_runs(Database& database, const RunFilter& filter, std::size_t most, const std::string& cursor);
Result<RunRow> find_run(Database& database, const std::string& project, const std::string& text);
Result<std::vector<RunRow>> unfinished_runs(Database& database);
Result<std::vector<JobRow>> jobs_of(Database& database, const RunId& run);
Result<std::vector<AttemptRow>> attempts_of(Database& database, const RunId& run);
Result<std::vector<DecisionRow>> decisions_of(Database& database, const RunId& run);
Result<std::vector<TriggerRow>> triggers_of(Database& database, const RunId& run);
Result<std::vector<TestRow>> tests_of(Database& database, const RunId& run, Store::TestDetail detail);
Result<std::vector<JobResult>> finished_jobs(Database& database, const std::string& project, const std::string& job,
                                             std::size_t most);
Result<std::vector<JobResult>> running_jobs(Database& database, const std::string& project, const std::string& job);

}  // namespace slipway::store
