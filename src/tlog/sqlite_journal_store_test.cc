#include <gtest/gtest.h>
#include <sys/wait.h>

#include "base/file.h"
#include "tlog/test_world.h"

namespace cce::tlog {
namespace {

class SqliteJournalStoreTest : public JournalFixture {
 protected:
  std::string OpenCode() {
    const auto store = OpenSqliteJournalStore(path_);
    return store ? "opened" : store.error().code;
  }
};

TEST_F(SqliteJournalStoreTest, KeepsRowsAndHead) {
  {
    const auto store = OpenSqliteJournalStore(path_).value();
    EXPECT_EQ(*store->Size(), 0u);
    EXPECT_TRUE(store->Head()->empty());
    const std::vector<Bytes> two = {{1, 2}, {}};
    ASSERT_TRUE(store->Append(0, two, Bytes{9}));
    const std::vector<Bytes> one = {{3}};
    ASSERT_TRUE(store->Append(2, one, Bytes{8}));
  }
  const auto store = OpenSqliteJournalStore(path_).value();
  EXPECT_EQ(*store->Size(), 3u);
  EXPECT_EQ(*store->Head(), Bytes{8});
  EXPECT_EQ(*store->Entry(0), (Bytes{1, 2}));
  EXPECT_EQ(store->Entry(3).error().code, "io.not_found");
  EXPECT_EQ(store->Entry(UINT64_MAX).error().code, "io.not_found");
  std::vector<uint64_t> seqs;
  ASSERT_TRUE(store->ForEach(1, [&](uint64_t seq, ByteView) -> Result<> {
    seqs.push_back(seq);
    return {};
  }));
  EXPECT_EQ(seqs, (std::vector<uint64_t>{1, 2}));
}

TEST_F(SqliteJournalStoreTest, AppendsOnlyAtItsEnd) {
  const auto store = OpenSqliteJournalStore(path_).value();
  const std::vector<Bytes> one = {{1}};
  EXPECT_EQ(store->Append(1, one, Bytes{1}).error().code, "journal.conflict");
  ASSERT_TRUE(store->Append(0, one, Bytes{1}));
  EXPECT_EQ(store->Append(0, one, Bytes{2}).error().code, "journal.conflict");
  EXPECT_EQ(*store->Head(), Bytes{1});
  ASSERT_TRUE(store->Append(1, one, Bytes{3}));
}

TEST_F(SqliteJournalStoreTest, OneWriterAtATime) {
  const auto store = OpenSqliteJournalStore(path_).value();
  EXPECT_EQ(OpenCode(), "journal.conflict");
}

TEST_F(SqliteJournalStoreTest, RefusesForeignFiles) {
  ASSERT_TRUE(WriteFileAtomic(path_, Bytes(5000, 'x')));
  EXPECT_EQ(OpenCode(), "journal.foreign");
  std::filesystem::remove(path_);
  Sql("CREATE TABLE other (a)");
  EXPECT_EQ(OpenCode(), "journal.foreign");
}

TEST_F(SqliteJournalStoreTest, RefusesAChangedSchema) {
  for (const char* change :
       {"PRAGMA user_version = 2", "PRAGMA application_id = 1", "CREATE TABLE more (a)",
        "CREATE INDEX i ON entries (sealed)", "DROP TABLE head",
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",
        "CREATE VIEW v AS SELECT * FROM entries"}) {
    std::filesystem::remove(path_);
    ASSERT_EQ(OpenCode(), "opened");
    ASSERT_EQ(OpenCode(), "opened");
    Sql(change);
    EXPECT_EQ(OpenCode(), "journal.foreign") << change;
  }
}

TEST_F(SqliteJournalStoreTest, SaysWhereItCannotOpen) {
  path_ = folder_ / "missing" / "journal.db";
  EXPECT_EQ(OpenCode(), "io.failed");
  std::filesystem::create_symlink(folder_ / "target.db", folder_ / "link.db");
  path_ = folder_ / "link.db";
  EXPECT_EQ(OpenCode(), "io.failed");
}

}  // namespace
}  // namespace cce::tlog
