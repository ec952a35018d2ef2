#include "store/sqlite/database.h"

#include <sys/stat.h>

#include <sqlite3.h>

#include <fmt/format.h>

namespace slipway::store {

namespace {

/// Pages in the write-ahead log from which the last connection folds it into the database as it closes. Below, that
/// is left to a later one: it costs two fsyncs, and every `slipway run` would pay them.
constexpr int kFoldFromPages = 250;

std::unexpected<Error> error_of(sqlite3* database, int code) {
  const std::string what =
      fmt::format("store: {}", database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return fail(ErrorKind::unavailable, what);
    case SQLITE_FULL:
    case SQLITE_NOMEM: return fail(ErrorKind::exhausted, what);
    case SQLITE_CONSTRAINT: return fail(ErrorKind::conflict, what);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH: return fail(ErrorKind::denied, what);
    case SQLITE_IOERR: return fail(ErrorKind::unavailable, what);
    default: return fail(ErrorKind::internal, what);
  }
}

}  // namespace

Statement::~Statement() { sqlite3_finalize(statement_); }
Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)), next_(other.next_) {}
Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    sqlite3_finalize(statement_);
    database_ = other.database_;
    statement_ = std::exchange(other.statement_, nullptr);
    next_ = other.next_;
  }
  return *this;
}

Statement& Statement::start() {
  reset();
  next_ = 1;
  return *this;
}

// A failed bind is a wrong parameter number: a bug that the next step shows as well.
Statement& Statement::add(std::string_view text) {
  const int code = sqlite3_bind_text64(statement_, next_++, text.data() == nullptr ? "" : text.data(), text.size(),
                                       SQLITE_STATIC, SQLITE_UTF8);
  SW_ASSERT(code == SQLITE_OK, "a statement has this parameter");
  return *this;
}
Statement& Statement::add(std::int64_t number) {
  SW_ASSERT(sqlite3_bind_int64(statement_, next_++, number) == SQLITE_OK, "a statement has this parameter");
  return *this;
}
Statement& Statement::add_null() {
  SW_ASSERT(sqlite3_bind_null(statement_, next_++) == SQLITE_OK, "a statement has this parameter");
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  const auto error = error_of(database_, code);
  sqlite3_reset(statement_);
  return error;
}

Result<void> Statement::run() {
  SW_TRY(const bool row, step());
  if (row) reset();
  return {};
}

void Statement::reset() { sqlite3_reset(statement_); }

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr ? std::string()
                         : std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}
std::int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_, column); }
bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file,
                                                 std::chrono::milliseconds busy_timeout) {
  sqlite3* handle = nullptr;
  // One thread at a time uses a connection: its mutexes are left out.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(file.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (code != SQLITE_OK) return wrap(error_of(handle, code).error(), "opening " + file.string());
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, static_cast<int>(busy_timeout.count()));
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_wal_hook(handle, &Database::on_commit, database.get());
  return database;
}

/// Also does what sqlite3_wal_autocheckpoint would: a hook of ours takes its place.
int Database::on_commit(void* self, sqlite3* handle, const char* name, int pages) {
  constexpr int kCheckpointFromPages = 1'000;
  auto& database = *static_cast<Database*>(self);
  database.wal_pages_ = pages;
  if (pages >= kCheckpointFromPages)
    sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return SQLITE_OK;
}

Database::~Database() {
  if (database_ == nullptr) return;
  if (wal_pages_ >= kFoldFromPages) sqlite3_db_config(database_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  sqlite3_close_v2(database_);
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                      &statement, nullptr);
  if (code != SQLITE_OK) return error_of(database_, code);
  return Statement(database_, statement);
}

Result<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(database_, code);
  return {};
}

std::int64_t Database::changes() const { return sqlite3_changes64(database_); }

Result<Transaction> Transaction::begin(Database& database) {
  SW_CHECK(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");  // fails only where SQLite has rolled back itself
}

Result<void> Transaction::commit() {
  SW_CHECK(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace slipway::store
