#include <sqlite3.h>

#include <mutex>
#include <optional>
#include <vector>

#include "base/file.h"
#include "tlog/journal_store.h"
#include "tlog/sqlite.h"

namespace cce::tlog {
namespace {

constexpr int64_t kApplicationId = 0x4343454a;  // "CCEJ"
constexpr int64_t kVersion = 1;
constexpr std::string_view kEntriesTable =
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY CHECK (seq >= 0), sealed BLOB NOT NULL) STRICT";
constexpr std::string_view kHeadTable =
    "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 0), sealed BLOB NOT NULL) STRICT";
constexpr uint64_t kMaxSeq = INT64_MAX - 1;

Result<int64_t> ReadInteger(SqliteDatabase& database, std::string_view sql) {
  ASSIGN_OR_RETURN(SqliteStatement statement, database.Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Integer(0) : 0;
}

// All that the schema holds, in a stable order: exactly two tables, else the file is not ours.
Result<std::vector<std::string>> ReadSchema(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(SqliteStatement statement,
                   database.Prepare("SELECT sql FROM sqlite_schema ORDER BY name"));
  std::vector<std::string> out;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return out;
    if (out.size() > 8) return Fail("journal.foreign", "a database holds other tables");
    out.push_back(statement.Text(0));
  }
}

Result<> CreateOrCheckSchema(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(const std::vector<std::string> schema, ReadSchema(database));
  ASSIGN_OR_RETURN(const int64_t application, ReadInteger(database, "PRAGMA application_id"));
  ASSIGN_OR_RETURN(const int64_t version, ReadInteger(database, "PRAGMA user_version"));
  if (schema.empty() && application == 0 && version == 0) {
    return database.Transact([&]() -> Result<> {
      TRY(database.Execute(kEntriesTable));
      TRY(database.Execute(kHeadTable));
      TRY(database.Execute("PRAGMA application_id = " + std::to_string(kApplicationId)));
      return database.Execute("PRAGMA user_version = " + std::to_string(kVersion));
    });
  }
  const std::vector<std::string> expected = {std::string(kEntriesTable), std::string(kHeadTable)};
  if (application != kApplicationId || version != kVersion || schema != expected) {
    return Fail(MakeError("journal.foreign", "a database is no journal of this version")
                    .Expected("version " + std::to_string(kVersion))
                    .Found("application " + std::to_string(application) + ", version " +
                           std::to_string(version) + ", " + std::to_string(schema.size()) +
                           " tables"));
  }
  return {};
}

class SqliteJournalStore : public JournalStore {
 public:
  explicit SqliteJournalStore(std::unique_ptr<SqliteDatabase> database)
      : database_(std::move(database)) {}

  // Prepares what appends use each time.
  Result<> Prepare() {
    ASSIGN_OR_RETURN(SqliteStatement insert,
                     database_->Prepare("INSERT INTO entries (seq, sealed) VALUES (?, ?)"));
    ASSIGN_OR_RETURN(SqliteStatement head,
                     database_->Prepare("INSERT OR REPLACE INTO head (id, sealed) VALUES (0, ?)"));
    ASSIGN_OR_RETURN(
        SqliteStatement next,
        database_->Prepare("SELECT seq, sealed FROM entries WHERE seq >= ? ORDER BY seq LIMIT 1"));
    insert_.emplace(std::move(insert));
    set_head_.emplace(std::move(head));
    next_.emplace(std::move(next));
    return {};
  }

  Result<uint64_t> Size() override {
    const std::lock_guard lock(mutex_);
    return LockedSize();
  }

  Result<> Append(uint64_t expected_seq, std::span<const Bytes> sealed_entries,
                  ByteView sealed_head) override {
    const std::lock_guard lock(mutex_);
    return database_->Transact([&]() -> Result<> {
      ASSIGN_OR_RETURN(const uint64_t size, LockedSize());
      if (size != expected_seq || sealed_entries.size() > kMaxSeq - size) {
        return Fail(MakeError("journal.conflict", "the journal grew behind its writer's back")
                        .Expected(std::to_string(expected_seq) + " entries")
                        .Found(std::to_string(size)));
      }
      for (size_t i = 0; i < sealed_entries.size(); ++i) {
        insert_->Bind(1, static_cast<int64_t>(expected_seq + i));
        insert_->Bind(2, sealed_entries[i]);
        TRY(RunOnce(*insert_));
      }
      set_head_->Bind(1, sealed_head);
      return RunOnce(*set_head_);
    });
  }

  Result<> ForEach(uint64_t from, const Visit& visit) override {
    // The lock is not held while `visit` runs, which may take its time.
    for (uint64_t seq = from;; ++seq) {
      ASSIGN_OR_RETURN(auto row, Next(seq));
      if (!row) return {};
      seq = row->first;
      TRY(visit(seq, row->second));
    }
  }

  Result<Bytes> Entry(uint64_t seq) override {
    ASSIGN_OR_RETURN(auto row, Next(seq));
    if (!row || row->first != seq) return Fail("io.not_found", "the journal has no such entry");
    return std::move(row->second);
  }

  Result<Bytes> Head() override {
    const std::lock_guard lock(mutex_);
    ASSIGN_OR_RETURN(SqliteStatement statement,
                     database_->Prepare("SELECT sealed FROM head WHERE id = 0"));
    ASSIGN_OR_RETURN(const bool row, statement.Step());
    return row ? ToBytes(statement.Blob(0)) : Bytes{};
  }

 private:
  using Row = std::pair<uint64_t, Bytes>;

  static Result<> RunOnce(SqliteStatement& statement) {
    const Result<bool> result = statement.Step();
    statement.Reset();
    if (!result) return Unexpected(result.error());
    return {};
  }

  Result<uint64_t> LockedSize() {
    ASSIGN_OR_RETURN(const int64_t size,
                     ReadInteger(*database_, "SELECT coalesce(max(seq) + 1, 0) FROM entries"));
    if (size < 0) return Fail("journal.edited", "a journal row has a negative number");
    return static_cast<uint64_t>(size);
  }

  // The first row from `seq` on.
  Result<std::optional<Row>> Next(uint64_t seq) {
    if (seq > kMaxSeq) return std::optional<Row>();
    const std::lock_guard lock(mutex_);
    next_->Bind(1, static_cast<int64_t>(seq));
    const Result<bool> found = next_->Step();
    std::optional<Row> out;
    if (found && *found) {
      out.emplace(static_cast<uint64_t>(next_->Integer(0)), ToBytes(next_->Blob(1)));
    }
    next_->Reset();
    if (!found) return Unexpected(found.error());
    return out;
  }

  std::mutex mutex_;
  std::unique_ptr<SqliteDatabase> database_;
  std::optional<SqliteStatement> insert_, set_head_, next_;
};

}  // namespace

Result<std::unique_ptr<JournalStore>> OpenSqliteJournalStore(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, SqliteDatabase::Open(path));
  // The exclusive lock comes before the log's mode, so that no shared-memory file is needed.
  TRY(database->Execute("PRAGMA locking_mode = EXCLUSIVE"));
  TRY(database->Execute("PRAGMA journal_mode = WAL"));
  TRY(database->Execute("PRAGMA synchronous = FULL"));
  // Takes the lock now: a second process is refused at its start, not at its first append.
  TRY(database->Transact([]() -> Result<> { return {}; }));
  TRY(CreateOrCheckSchema(*database));
  // The database's own folder entry must survive power loss, too.
  const size_t slash = path.rfind('/');
  if (path != ":memory:") {
    TRY(FsyncFolder(slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1))));
  }
  auto store = std::make_unique<SqliteJournalStore>(std::move(database));
  TRY(store->Prepare());
  return store;
}

}  // namespace cce::tlog
