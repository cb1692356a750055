#include "tlog/sqlite.h"

#include <sqlite3.h>

namespace cce::tlog {
namespace {

std::string_view CodeFor(int primary) {
  switch (primary) {
    case SQLITE_CORRUPT:
      return "journal.edited";
    case SQLITE_NOTADB:
      return "journal.foreign";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "journal.conflict";
    case SQLITE_FULL:
      return "io.disk_full";
    default:
      return "io.failed";
  }
}

}  // namespace

Unexpected SqliteDatabase::Failure(std::string_view what) const {
  // Extended codes and SQLite's own sentence; neither holds data.
  const int extended = sqlite3_extended_errcode(handle_);
  return Fail(MakeError(CodeFor(extended & 0xff), "the database cannot " + std::string(what))
                  .Found(std::string(sqlite3_errmsg(handle_)) + " (SQLite " +
                         std::to_string(extended) + ")"));
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX |
                    SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
  const int opened = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  if (handle == nullptr) return Fail("io.failed", "no memory for a database");
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(handle));
  if (opened != SQLITE_OK) return database->Failure("open " + path);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  TRY(database->Execute("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"));
  return database;
}

SqliteDatabase::~SqliteDatabase() { sqlite3_close_v2(handle_); }

Result<> SqliteDatabase::Execute(std::string_view sql) {
  if (sqlite3_exec(handle_, std::string(sql).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Failure("execute a statement");
  }
  return {};
}

Result<SqliteStatement> SqliteDatabase::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return Failure("prepare a statement");
  }
  return SqliteStatement(this, statement);
}

Result<> SqliteDatabase::Transact(const std::function<Result<>()>& body) {
  TRY(Execute("BEGIN IMMEDIATE"));
  Result<> result = body();
  if (result) result = Execute("COMMIT");
  // After some failures SQLite has rolled back by itself; then this one says so, and nobody minds.
  if (!result && sqlite3_get_autocommit(handle_) == 0) (void)Execute("ROLLBACK");
  return result;
}

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : database_(other.database_), handle_(std::exchange(other.handle_, nullptr)) {}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(handle_); }

void SqliteStatement::Bind(int position, int64_t value) {
  sqlite3_bind_int64(handle_, position, value);
}

void SqliteStatement::Bind(int position, ByteView value) {
  if (value.empty()) {
    sqlite3_bind_zeroblob(handle_, position, 0);  // a null pointer would bind NULL
    return;
  }
  sqlite3_bind_blob64(handle_, position, value.data(), value.size(), SQLITE_STATIC);
}

Result<bool> SqliteStatement::Step() {
  const int result = sqlite3_step(handle_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return database_->Failure("read or write a row");
}

int64_t SqliteStatement::Integer(int column) const { return sqlite3_column_int64(handle_, column); }

ByteView SqliteStatement::Blob(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  return {static_cast<const uint8_t*>(data), data == nullptr ? 0 : static_cast<size_t>(size)};
}

std::string SqliteStatement::Text(int column) const { return std::string(AsText(Blob(column))); }

void SqliteStatement::Reset() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

}  // namespace cce::tlog
