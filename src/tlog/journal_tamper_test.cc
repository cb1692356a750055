// The operator owns the disk: whatever he does to a stopped journal, it opens as it was or is
// refused by name.
#include <gtest/gtest.h>

#include "base/file.h"
#include "tlog/test_world.h"

namespace cce::tlog {
namespace {

class JournalTamperTest : public JournalFixture {
 protected:
  void SetUp() override { Fill(5); }
  void CopyAway() { std::filesystem::copy_file(path_, path_ + ".copy"); }
  void CopyBack() {
    std::filesystem::copy_file(path_ + ".copy", path_,
                               std::filesystem::copy_options::overwrite_existing);
  }
};

TEST_F(JournalTamperTest, UntouchedItOpens) {
  EXPECT_EQ(Code(), "opened");
  EXPECT_EQ(seen_.size(), 5u);
}

TEST_F(JournalTamperTest, EveryEditedByteOfAnEntry) {
  auto store = OpenSqliteJournalStore(path_).value();
  const Bytes entry = store->Entry(2).value(), head = store->Head().value();
  store.reset();
  CopyAway();
  for (size_t i = 0; i < entry.size(); ++i) {
    Bytes bad = entry;
    bad[i] ^= 1;
    Sql("UPDATE entries SET sealed = x'" + ToHex(bad) + "' WHERE seq = 2");
    EXPECT_EQ(Code(), i >= 1 && i < 9 ? "journal.reordered" : "journal.edited") << i;
    CopyBack();
  }
  for (size_t i = 0; i < head.size(); ++i) {
    Bytes bad = head;
    bad[i] ^= 1;
    Sql("UPDATE head SET sealed = x'" + ToHex(bad) + "'");
    EXPECT_EQ(Code(), "journal.edited") << i;
    CopyBack();
  }
  Sql("UPDATE entries SET sealed = x'' WHERE seq = 2");
  EXPECT_EQ(Code(), "journal.edited");
  CopyBack();
  Sql("UPDATE entries SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE seq = 4");
  EXPECT_EQ(Code(), "journal.edited");
}

TEST_F(JournalTamperTest, EditedFirstEntryIsNotTakenForAnotherKey) {
  Sql("UPDATE entries SET sealed = zeroblob(200) WHERE seq = 0");
  EXPECT_EQ(Code(), "journal.edited");
}

TEST_F(JournalTamperTest, DeletedEntries) {
  CopyAway();
  for (int seq = 0; seq < 5; ++seq) {
    Sql("DELETE FROM entries WHERE seq = " + std::to_string(seq));
    EXPECT_EQ(Code(), "journal.truncated") << seq;
    CopyBack();
  }
  // and the rest moved up
  Sql("DELETE FROM entries WHERE seq = 1; UPDATE entries SET seq = seq - 1 WHERE seq > 1");
  EXPECT_EQ(Code(), "journal.reordered");
  CopyBack();
  Sql("DELETE FROM entries WHERE seq >= 3");
  EXPECT_EQ(Code(), "journal.truncated");
  CopyBack();
  Sql("DELETE FROM entries");
  EXPECT_EQ(Code(), "journal.truncated");
  CopyBack();
  Sql("DELETE FROM head");
  EXPECT_EQ(Code(), "journal.truncated");
}

TEST_F(JournalTamperTest, SwappedAndRepeatedEntries) {
  CopyAway();
  Sql("UPDATE entries SET seq = 100 WHERE seq = 1; UPDATE entries SET seq = 1 WHERE seq = 2;"
      "UPDATE entries SET seq = 2 WHERE seq = 100");
  EXPECT_EQ(Code(), "journal.reordered");
  CopyBack();
  Sql("INSERT INTO entries SELECT 5, sealed FROM entries WHERE seq = 4");
  EXPECT_EQ(Code(), "journal.reordered");
  CopyBack();
  Sql("UPDATE entries SET sealed = (SELECT sealed FROM entries WHERE seq = 0) WHERE seq = 3");
  EXPECT_EQ(Code(), "journal.reordered");
}

TEST_F(JournalTamperTest, AnEntryOfAnotherPastInItsPlace) {
  // Two histories under the same key: entry 3 of one, put into the other.
  CopyAway();
  Sql("DELETE FROM entries; DELETE FROM head");
  Fill(5);
  auto store = OpenSqliteJournalStore(path_).value();
  const Bytes other = store->Entry(3).value(), other_head = store->Head().value();
  store.reset();
  CopyBack();
  Sql("UPDATE entries SET sealed = x'" + ToHex(other) + "' WHERE seq = 3");
  EXPECT_EQ(Code(), "journal.edited");
  CopyBack();
  Sql("UPDATE head SET sealed = x'" + ToHex(other_head) + "'");
  EXPECT_EQ(Code(), "journal.edited");
}

TEST_F(JournalTamperTest, NewEntriesUnderAnOldHead) {
  auto store = OpenSqliteJournalStore(path_).value();
  const Bytes old_head = store->Head().value();
  store.reset();
  Fill(6);
  Sql("UPDATE head SET sealed = x'" + ToHex(old_head) + "'");
  EXPECT_EQ(Code(), "journal.edited");
}

TEST_F(JournalTamperTest, WrongKey) {
  base_key_[0] ^= 1;
  EXPECT_EQ(Code(), "journal.wrong_key");
  Sql("DELETE FROM entries");
  EXPECT_EQ(Code(), "journal.wrong_key");
}

TEST_F(JournalTamperTest, RollbackNeedsAnAnchorToBeSeen) {
  MemoryFreshness source;
  CopyAway();
  Fill(8);
  {
    const auto journal = Open().value();
    ASSERT_TRUE(source.Publish(journal->Head()));
  }
  freshness_ = &source;
  EXPECT_EQ(Code(), "opened");
  CopyBack();  // the whole old file: last rows gone, the old head in place
  EXPECT_EQ(Code(), "journal.rolled_back");
  freshness_ = nullptr;
  EXPECT_EQ(Code(), "opened");
  // grown again to the anchor's size, with other entries
  Fill(8);
  freshness_ = &source;
  EXPECT_EQ(Code(), "journal.rolled_back");
  freshness_ = nullptr;
  Fill(9);
  freshness_ = &source;
  EXPECT_EQ(Code(), "journal.rolled_back");
  // everything gone
  std::filesystem::remove(path_);
  EXPECT_EQ(Code(), "journal.rolled_back");
}

TEST_F(JournalTamperTest, AnUnreachableFreshnessSourceRefuses) {
  MemoryFreshness source;
  source.fails = true;
  freshness_ = &source;
  EXPECT_EQ(Code(), "internal.unavailable");
}

TEST_F(JournalTamperTest, ChangesUnderARunningJournalAreSeenByReaders) {
  class ChangingStore : public JournalStore {
   public:
    explicit ChangingStore(std::unique_ptr<JournalStore> real) : real_(std::move(real)) {}
    Result<uint64_t> Size() override { return real_->Size(); }
    Result<> Append(uint64_t seq, std::span<const Bytes> entries, ByteView head) override {
      return real_->Append(seq, entries, head);
    }
    Result<> ForEach(uint64_t from, const Visit& visit) override {
      return real_->ForEach(from, visit);
    }
    Result<Bytes> Entry(uint64_t seq) override {
      ASSIGN_OR_RETURN(Bytes out, real_->Entry(seq));
      if (changed) out.back() ^= 1;
      return out;
    }
    Result<Bytes> Head() override { return real_->Head(); }
    bool changed = false;

   private:
    std::unique_ptr<JournalStore> real_;
  };
  auto owned = std::make_unique<ChangingStore>(OpenSqliteJournalStore(path_).value());
  ChangingStore* const store = owned.get();
  const Journal::Fold ignore = [](uint64_t, int64_t, std::string_view,
                                  const json::object&) -> Result<> { return {}; };
  const auto journal = Journal::Open(Options(std::move(owned)), ignore).value();
  EXPECT_TRUE(journal->Prove(1));
  store->changed = true;
  EXPECT_EQ(journal->Prove(1).error().code, "journal.edited");
  EXPECT_EQ(journal->Replay(0, ignore).error().code, "journal.edited");
}

// Below SQL: bytes of the file itself. Some lie in no row, so that the journal still is what it
// was.
TEST_F(JournalTamperTest, FlippedBytesOfTheFile) {
  const Bytes file = ReadFile(path_, 1 << 24).value();
  size_t refused = 0;
  for (size_t i = 0; i < file.size(); i += 61) {
    Bytes bad = file;
    bad[i] ^= 0x41;
    ASSERT_TRUE(WriteFileAtomic(path_, bad));
    std::filesystem::remove(path_ + "-wal");
    if (Code() == "opened") {
      EXPECT_EQ(seen_.size(), 5u) << i;
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 5u);
}

}  // namespace
}  // namespace cce::tlog
