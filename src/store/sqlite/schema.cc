#include "store/sqlite/schema.h"

#include <array>

#include <fmt/format.h>

namespace slipway::store {

namespace {

/// Times are µs since the epoch, 0: not yet. Enumerations are their names. `seq` orders runs as they were added.
/// A migration that has been released is never changed: add one.
constexpr std::array<const char*, 4> kMigrations = {R"sql(
CREATE TABLE projects (path TEXT PRIMARY KEY, next_number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  project TEXT NOT NULL,
  number INTEGER NOT NULL,
  workflow TEXT NOT NULL,
  file TEXT NOT NULL,
  event TEXT NOT NULL,
  event_json TEXT NOT NULL,
  branch TEXT NOT NULL,
  sha TEXT NOT NULL,
  state TEXT NOT NULL,
  outcome TEXT,
  exit_code INTEGER NOT NULL,
  reason TEXT NOT NULL,
  created INTEGER NOT NULL,
  started INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  options TEXT NOT NULL,
  secret_names TEXT NOT NULL,
  owner TEXT NOT NULL,
  UNIQUE (project, number)
);
CREATE INDEX runs_unfinished ON runs (seq) WHERE outcome IS NULL;
CREATE TABLE jobs (
  run TEXT NOT NULL,
  idx INTEGER NOT NULL,
  name TEXT NOT NULL,
  definition TEXT NOT NULL,
  state TEXT NOT NULL,
  outcome TEXT,
  exit_code INTEGER NOT NULL,
  reason TEXT NOT NULL,
  failure_allowed INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  attempt TEXT NOT NULL,
  started INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  outputs TEXT NOT NULL,
  PRIMARY KEY (run, idx)
) WITHOUT ROWID;
CREATE TABLE attempts (
  run TEXT NOT NULL,
  id TEXT NOT NULL,
  job TEXT NOT NULL,
  number INTEGER NOT NULL,
  journal_path TEXT NOT NULL,
  started INTEGER NOT NULL,
  report TEXT,
  PRIMARY KEY (run, id)
) WITHOUT ROWID;
CREATE TABLE decisions (
  seq INTEGER PRIMARY KEY,
  run TEXT NOT NULL,
  job TEXT NOT NULL,
  what TEXT NOT NULL,
  trace TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX decisions_of_run ON decisions (run);
CREATE TABLE triggers (
  seq INTEGER PRIMARY KEY,
  run TEXT NOT NULL,
  by_job TEXT NOT NULL,
  job TEXT NOT NULL,
  json TEXT NOT NULL,
  accepted INTEGER NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX triggers_of_run ON triggers (run);
)sql",
                                                    "ALTER TABLE jobs ADD COLUMN environment TEXT NOT NULL DEFAULT ''",
                                                    // Test results. A name is kept once; `run` is runs.seq, so that
                                                    // a test's history is one range of its key. `took` is in us.
                                                    R"sql(
ALTER TABLE runs ADD COLUMN commit_sha TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN depends_on TEXT NOT NULL DEFAULT '[]';
CREATE TABLE tests (
  id INTEGER PRIMARY KEY,
  project TEXT NOT NULL,
  job TEXT NOT NULL,
  suite TEXT NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (project, job, suite, name)
);
CREATE TABLE test_results (
  test INTEGER NOT NULL,
  run INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  took INTEGER NOT NULL,
  PRIMARY KEY (test, run, attempt)
) WITHOUT ROWID;
CREATE INDEX test_results_of_run ON test_results (run);
CREATE INDEX test_failures ON test_results (test, run) WHERE outcome = 1;
CREATE TABLE test_texts (
  run INTEGER NOT NULL,
  test INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  message TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (run, test, attempt)
) WITHOUT ROWID;
)sql",
                                                    "ALTER TABLE runs ADD COLUMN untrusted INTEGER NOT NULL DEFAULT 0"};

Result<std::int64_t> version_of(Database& database) {
  SW_TRY(Statement statement, database.prepare("PRAGMA user_version"));
  SW_TRY(const bool row, statement.step());
  return row ? statement.number(0) : 0;
}

}  // namespace

Result<bool> is_current(Database& database) {
  SW_TRY(const std::int64_t version, version_of(database));
  const auto newest = static_cast<std::int64_t>(kMigrations.size());
  if (version > newest) {
    return fail(ErrorKind::internal,
                fmt::format("the store has schema {}, this Slipway knows {}: use a newer one", version, newest));
  }
  return version == newest;
}

Result<void> migrate(Database& database) {
  SW_TRY(std::int64_t version, version_of(database));
  // WAL is kept in the file: only a new one has to be told.
  if (version == 0) SW_CHECK(database.execute("PRAGMA journal_mode = WAL"));
  SW_TRY(Transaction transaction, Transaction::begin(database));
  SW_TRY(version, version_of(database));  // another process may have been first
  for (; version < static_cast<std::int64_t>(kMigrations.size()); ++version) {
    SW_CHECK(database.execute(kMigrations[static_cast<std::size_t>(version)]));
  }
  SW_CHECK(database.execute(fmt::format("PRAGMA user_version = {}", version).c_str()));
  return transaction.commit();
}

}  // namespace slipway::store
