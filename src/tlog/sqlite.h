// SQLite behind two small owners: errors as values, values bound by position, nothing leaked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace cce::tlog {

class SqliteStatement;

// One connection: use from one thread at a time. The file counts as hostile: its schema may hold no
// code that runs. Errors: journal.edited where SQLite finds the file damaged, journal.foreign where
// it is no database, journal.conflict where another process holds it, io.disk_full, io.failed.
class SqliteDatabase {
 public:
  static Result<std::unique_ptr<SqliteDatabase>> Open(const std::string& path);
  ~SqliteDatabase();

  // One or more statements without results.
  Result<> Execute(std::string_view sql);
  Result<SqliteStatement> Prepare(std::string_view sql);
  // BEGIN IMMEDIATE, `body`, COMMIT; ROLLBACK where either fails.
  Result<> Transact(const std::function<Result<>()>& body);

 private:
  friend class SqliteStatement;
  explicit SqliteDatabase(sqlite3* handle) : handle_(handle) {}
  Unexpected Failure(std::string_view what) const;
  sqlite3* handle_;
};

// Outlived by its database.
class SqliteStatement {
 public:
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&&) = delete;
  ~SqliteStatement();

  // Positions from 1. Bytes bound must live until Reset or the next Bind there.
  void Bind(int position, int64_t value);
  void Bind(int position, ByteView value);
  // True: a row is there. False: done.
  Result<bool> Step();
  // Of the present row, columns from 0; the bytes live until the next Step or Reset.
  int64_t Integer(int column) const;
  ByteView Blob(int column) const;
  std::string Text(int column) const;
  void Reset();

 private:
  friend class SqliteDatabase;
  SqliteStatement(SqliteDatabase* database, sqlite3_stmt* handle)
      : database_(database), handle_(handle) {}
  SqliteDatabase* database_;
  sqlite3_stmt* handle_;
};

}  // namespace cce::tlog
