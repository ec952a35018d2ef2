#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"
#include "base/time.h"

struct sqlite3;
struct sqlite3_stmt;

/// SQLite as values: a connection and its prepared statements. One thread at a time. Private to store/sqlite.
namespace slipway::store {

/// A prepared statement, kept for the life of its database. `bind` in order from 1, then `step` until it says false;
/// `reset` (or the next `start`) frees what it holds.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  /// Forgets the last use; the next `add` binds the first parameter.
  Statement& start();
  Statement& add(std::string_view text);  ///< must live until the statement has run
  Statement& add(std::int64_t number);
  Statement& add_null();
  Statement& add(const char* text) { return add(std::string_view(text)); }
  template <class N>
    requires std::is_integral_v<N>
  Statement& add(N number) {
    return add(static_cast<std::int64_t>(number));
  }
  Statement& add(Time time) { return add(to_micros(time)); }

  /// True: there is a row. Errors as of Store.
  Result<bool> step();
  /// For statements without rows.
  Result<void> run();
  void reset();

  std::string text(int column) const;
  std::int64_t number(int column) const;
  bool is_null(int column) const;
  Time time(int column) const { return from_micros(number(column)); }

 private:
  sqlite3* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  int next_ = 1;
};

class Database {
 public:
  /// Creates the file where missing, readable by its owner only.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file,
                                                std::chrono::milliseconds busy_timeout);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Result<Statement> prepare(std::string_view sql);
  /// Several statements without parameters.
  Result<void> execute(const char* sql);
  /// Rows that the last statement changed.
  std::int64_t changes() const;

 private:
  explicit Database(sqlite3* database) : database_(database) {}
  static int on_commit(void* self, sqlite3* database, const char* name, int pages);
  sqlite3* database_;
  int wal_pages_ = 0;
};

/// Begins with BEGIN IMMEDIATE; rolls back at its end unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) { other.database_ = nullptr; }
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace slipway::store
