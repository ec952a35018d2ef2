#include "store/sqlite/sqlite_store.h"

#include <fcntl.h>
#include <sys/file.h>

#include "os/files.h"
#include "store/row_json.h"
#include "store/sqlite/database.h"
#include "store/sqlite/reading.h"
#include "store/sqlite/schema.h"

namespace slipway::store {

namespace {

/// Statements of every commit, prepared when first needed and kept.
enum class Kept {
  update_run,
  put_job,
  put_attempt,
  add_decision,
  add_trigger,
  find_test,
  add_test,
  put_result,
  put_text,
  count
};

constexpr std::array<std::string_view, static_cast<std::size_t>(Kept::count)> kSql = {
    "UPDATE runs SET state = ?, outcome = ?, exit_code = ?, reason = ?, started = ?, finished = ?, owner = ? WHERE id "
    "= ?",
    "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?)",
    "INSERT INTO decisions (run, job, what, trace, at) VALUES (?, ?, ?, ?, ?)",
    "INSERT INTO triggers (run, by_job, job, json, accepted, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    "SELECT id FROM tests WHERE project = ? AND job = ? AND suite = ? AND name = ?",
    "INSERT INTO tests (project, job, suite, name) VALUES (?, ?, ?, ?) RETURNING id",
    "INSERT OR REPLACE INTO test_results VALUES (?, ?, ?, ?, ?)",
    "INSERT OR REPLACE INTO test_texts VALUES (?, ?, ?, ?, ?)",
};

void add_outcome(Statement& statement, const std::optional<model::Outcome>& outcome) {
  if (outcome)
    statement.add(model::to_string(*outcome));
  else
    statement.add_null();
}

class SqliteStore final : public Store {
 public:
  explicit SqliteStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  Result<std::int64_t> add_run(const RunRow& run) override;
  Result<void> commit(const Batch& batch) override;
  Result<void> remove_run(const RunId& run) override;

  Result<RunPage> list_runs(const RunFilter& filter, std::size_t most, const std::string& cursor) override {
    return store::list_runs(*database_, filter, most, cursor);
  }
  Result<RunRow> find_run(const std::string& project, const std::string& text) override {
    return store::find_run(*database_, project, text);
  }
  Result<std::vector<JobRow>> jobs_of(const RunId& run) override { return store::jobs_of(*database_, run); }
  Result<std::vector<AttemptRow>> attempts_of(const RunId& run) override { return store::attempts_of(*database_, run); }
  Result<std::vector<DecisionRow>> decisions_of(const RunId& run) override {
    return store::decisions_of(*database_, run);
  }
  Result<std::vector<TestRow>> tests_of(const RunId& run, TestDetail detail) override {
    return store::tests_of(*database_, run, detail);
  }
  Result<std::vector<TriggerRow>> triggers_of(const RunId& run) override { return store::triggers_of(*database_, run); }
  Result<std::optional<JobResult>> newest_result(const std::string& project, const std::string& job) override {
    SW_TRY(auto found, finished_jobs(*database_, project, job, 1));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
  }
  Result<std::vector<JobResult>> running_jobs(const std::string& project, const std::string& job) override {
    return store::running_jobs(*database_, project, job);
  }
  Result<std::vector<RunRow>> unfinished_runs() override { return store::unfinished_runs(*database_); }

 private:
  Result<Statement*> kept(Kept which);
  Result<void> write(const RunRow& run);
  Result<void> write(const JobRow& job);
  Result<void> write(const AttemptRow& attempt);
  Result<void> write(const DecisionRow& decision);
  Result<void> write(const TriggerRow& trigger);
  Result<void> write(const TestsRow& tests);
  Result<std::int64_t> test_id(const std::string& project, const std::string& job, const model::TestResult& test);
  template <class Row>
  Result<void> write_all(const std::vector<Row>& rows) {
    for (const Row& row : rows) SW_CHECK(write(row));
    return {};
  }

  std::unique_ptr<Database> database_;
  std::array<std::optional<Statement>, static_cast<std::size_t>(Kept::count)> kept_;  // after database_: they go first
};

Result<Statement*> SqliteStore::kept(Kept which) {
  const auto index = static_cast<std::size_t>(which);
  if (!kept_[index]) {
    SW_TRY(kept_[index], database_->prepare(kSql[index]));
  }
  return &kept_[index]->start();
}

Result<std::int64_t> SqliteStore::add_run(const RunRow& run) {
  SW_TRY(Transaction transaction, Transaction::begin(*database_));
  SW_TRY(Statement number, database_->prepare("INSERT INTO projects VALUES (?, 2) ON CONFLICT (path) DO UPDATE SET "
                                              "next_number = next_number + 1 RETURNING next_number - 1"));
  number.start().add(run.project);
  SW_TRY(const bool row, number.step());
  if (!row) return fail(ErrorKind::internal, "store: no number for the run");
  const std::int64_t given = number.number(0);
  number.reset();

  SW_TRY(Statement statement,
         database_->prepare(
             "INSERT INTO runs (id, project, number, workflow, file, event, event_json, branch, sha, state, outcome, "
             "exit_code, reason, created, started, finished, options, secret_names, owner, commit_sha, untrusted) "
             "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  const std::string secrets = encode(run.secret_names);
  statement.start().add(run.id.value).add(run.project).add(given).add(run.workflow).add(run.file).add(run.event);
  statement.add(run.event_json).add(run.branch).add(run.sha).add(model::to_string(run.state));
  add_outcome(statement, run.outcome);
  statement.add(run.exit_code).add(run.reason).add(run.created).add(run.started).add(run.finished);
  statement.add(run.options_json).add(secrets).add(run.owner).add(run.commit);
  statement.add(std::int64_t{run.trust == model::Trust::untrusted});
  SW_CHECK(statement.run());
  SW_CHECK(transaction.commit());
  return given;
}

Result<void> SqliteStore::write(const RunRow& run) {
  SW_TRY(Statement* const statement, kept(Kept::update_run));
  statement->add(model::to_string(run.state));
  add_outcome(*statement, run.outcome);
  statement->add(run.exit_code).add(run.reason).add(run.started).add(run.finished).add(run.owner).add(run.id.value);
  return statement->run();
}

Result<void> SqliteStore::write(const JobRow& job) {
  SW_TRY(Statement* const statement, kept(Kept::put_job));
  const std::string outputs = encode(job.outputs);
  statement->add(job.run.value).add(job.index).add(job.name).add(job.definition).add(model::to_string(job.state));
  add_outcome(*statement, job.outcome);
  statement->add(job.exit_code)
      .add(job.reason)
      .add(job.failure_allowed ? 1 : 0)
      .add(job.attempts)
      .add(job.attempt.value);
  const std::string depends_on = encode(job.depends_on);
  statement->add(job.started).add(job.finished).add(outputs).add(job.environment).add(depends_on);
  return statement->run();
}

Result<void> SqliteStore::write(const AttemptRow& attempt) {
  SW_TRY(Statement* const statement, kept(Kept::put_attempt));
  const std::string report = attempt.report ? encode(*attempt.report) : std::string();
  statement->add(attempt.run.value)
      .add(attempt.id.value)
      .add(attempt.job)
      .add(attempt.number)
      .add(attempt.journal_path);
  statement->add(attempt.started);
  if (attempt.report)
    statement->add(report);
  else
    statement->add_null();
  return statement->run();
}

Result<void> SqliteStore::write(const DecisionRow& row) {
  SW_TRY(Statement* const statement, kept(Kept::add_decision));
  const std::string trace = encode(row.decision.because);
  statement->add(row.run.value).add(row.decision.job).add(row.decision.what).add(trace).add(row.at);
  return statement->run();
}

Result<void> SqliteStore::write(const TriggerRow& row) {
  SW_TRY(Statement* const statement, kept(Kept::add_trigger));
  statement->add(row.run.value)
      .add(row.by_job)
      .add(row.job)
      .add(row.json)
      .add(row.accepted ? 1 : 0)
      .add(row.reason)
      .add(row.at);
  return statement->run();
}

/// The name's row, made where it is new.
Result<std::int64_t> SqliteStore::test_id(const std::string& project, const std::string& job,
                                          const model::TestResult& test) {
  for (const Kept which : {Kept::find_test, Kept::add_test}) {
    SW_TRY(Statement* const statement, kept(which));
    statement->add(project).add(job).add(test.suite).add(test.name);
    SW_TRY(const bool row, statement->step());
    if (!row) continue;
    const std::int64_t id = statement->number(0);
    statement->reset();
    return id;
  }
  return fail(ErrorKind::internal, "store: no place for a test");
}

Result<void> SqliteStore::write(const TestsRow& row) {
  SW_TRY(Statement run, database_->prepare("SELECT seq, project FROM runs WHERE id = ?"));
  run.start().add(row.run.value);
  SW_TRY(const bool is_there, run.step());
  if (!is_there) return {};  // it was removed meanwhile
  const std::int64_t seq = run.number(0);
  const std::string project = run.text(1);
  run.reset();
  for (const model::TestResult& test : row.results) {
    SW_TRY(const std::int64_t id, test_id(project, row.job, test));
    SW_TRY(Statement* const result, kept(Kept::put_result));
    result->add(id).add(seq).add(row.attempt).add(static_cast<int>(test.outcome)).add(test.took.count());
    SW_CHECK(result->run());
    if (test.message.empty() && test.text.empty()) continue;
    SW_TRY(Statement* const text, kept(Kept::put_text));
    text->add(seq).add(id).add(row.attempt).add(test.message).add(test.text);
    SW_CHECK(text->run());
  }
  return {};
}

Result<void> SqliteStore::commit(const Batch& batch) {
  if (batch.empty()) return {};
  SW_TRY(Transaction transaction, Transaction::begin(*database_));
  SW_CHECK(write_all(batch.runs));
  SW_CHECK(write_all(batch.jobs));
  SW_CHECK(write_all(batch.attempts));
  SW_CHECK(write_all(batch.decisions));
  SW_CHECK(write_all(batch.triggers));
  SW_CHECK(write_all(batch.tests));
  return transaction.commit();
}

Result<void> SqliteStore::remove_run(const RunId& run) {
  SW_TRY(Transaction transaction, Transaction::begin(*database_));
  for (const char* sql : {"DELETE FROM test_texts WHERE run = (SELECT seq FROM runs WHERE id = ?)",
                          "DELETE FROM test_results WHERE run = (SELECT seq FROM runs WHERE id = ?)"}) {
    SW_TRY(Statement statement, database_->prepare(sql));
    statement.start().add(run.value);
    SW_CHECK(statement.run());
  }
  for (const char* sql :
       {"DELETE FROM jobs WHERE run = ?", "DELETE FROM attempts WHERE run = ?", "DELETE FROM decisions WHERE run = ?",
        "DELETE FROM triggers WHERE run = ?", "DELETE FROM runs WHERE id = ?"}) {
    SW_TRY(Statement statement, database_->prepare(sql));
    statement.start().add(run.value);
    SW_CHECK(statement.run());
  }
  if (database_->changes() == 0) return fail(ErrorKind::not_found, "there is no such run");
  return transaction.commit();
}

/// Held while the schema is made: two processes that switch a new file to WAL at once would fail instead of waiting.
Result<os::Fd> schema_lock(const std::filesystem::path& file) {
  SW_TRY(os::Fd lock, os::open_file(file.string() + ".schema", O_RDWR | O_CREAT, 0600));
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(errno, "locking " + file.string() + ".schema");
  }
  return lock;
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const SqliteOptions& options) {
  if (!options.file.parent_path().empty()) SW_CHECK(os::make_directories(options.file.parent_path(), 0700));
  SW_TRY(std::unique_ptr<Database> database, Database::open(options.file, options.busy_timeout));
  SW_TRY(const bool current, is_current(*database));
  if (!current) {
    SW_TRY(const os::Fd lock, schema_lock(options.file));
    auto done = migrate(*database);
    if (!done) return wrap(std::move(done).error(), "opening " + options.file.string());
  }
  SW_CHECK(database->execute("PRAGMA synchronous = NORMAL"));
  return std::make_unique<SqliteStore>(std::move(database));
}

}  // namespace slipway::store
