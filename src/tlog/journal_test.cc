#include "tlog/journal.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/file.h"
#include "tlog/test_world.h"

namespace cce::tlog {
namespace {

class JournalTest : public JournalFixture {};

TEST_F(JournalTest, ComesBackAsItWas) {
  {
    const auto journal = Open().value();
    EXPECT_EQ(journal->Size(), 0u);
    EXPECT_EQ(journal->LastMillis(), 0);
    EXPECT_EQ(*journal->Append("first", {{"a", 1}}), 0u);
    EXPECT_EQ(*journal->Append("second", {{"b", "x"}, {"c", nullptr}}), 1u);
  }
  const auto journal = Open().value();
  EXPECT_EQ(journal->Size(), 2u);
  EXPECT_EQ(journal->LastMillis(), clock_.now);
  EXPECT_EQ(seen_,
            (std::vector<std::string>{R"(0 first {"a":1})", R"(1 second {"b":"x","c":null})"}));
  EXPECT_EQ(*journal->Append("third", {}), 2u);
}

TEST_F(JournalTest, SeveralEntriesAreOneTransaction) {
  const json::object data = {{"n", 1}};
  const auto journal = Open().value();
  const std::vector<NewEntry> good = {{"a", data}, {"b", data}, {"c", data}};
  EXPECT_EQ(*journal->AppendAll(good), 0u);
  const std::vector<NewEntry> bad = {{"d", data}, {"", data}};
  EXPECT_FALSE(journal->AppendAll(bad));
  EXPECT_EQ(journal->Size(), 3u);
  EXPECT_FALSE(journal->AppendAll({}));
  EXPECT_EQ(*journal->Append("e", data), 3u);
}

TEST_F(JournalTest, ReplaysFromAnyEntry) {
  Fill(4);
  const auto journal = Open().value();
  std::vector<uint64_t> seqs;
  ASSERT_TRUE(journal->Replay(2,
                              [&](uint64_t seq, int64_t millis, std::string_view type,
                                  const json::object& data) -> Result<> {
                                EXPECT_EQ(millis, clock_.now);
                                EXPECT_EQ(type, "test");
                                EXPECT_EQ(data.at("n").to_number<uint64_t>(), seq);
                                seqs.push_back(seq);
                                return {};
                              }));
  EXPECT_EQ(seqs, (std::vector<uint64_t>{2, 3}));
}

TEST_F(JournalTest, TimeNeverRunsBackwards) {
  const auto journal = Open().value();
  ASSERT_TRUE(journal->Append("a", {}));
  const int64_t first = clock_.now;
  clock_.now -= 5000;
  ASSERT_TRUE(journal->Append("b", {}));
  EXPECT_EQ(journal->LastMillis(), first);
}

TEST_F(JournalTest, TakesOnlyWhatItCanReadBack) {
  const auto journal = Open().value();
  EXPECT_EQ(journal->Append("bad", {{"text", "\xff"}}).error().code, "input.malformed");
  EXPECT_EQ(journal->Append("", {}).error().code, "input.malformed");
  EXPECT_FALSE(journal->Append(std::string(65, 'a'), {}));
  json::value deep = nullptr;
  for (int i = 0; i < 80; ++i) deep = json::array{deep};
  EXPECT_FALSE(journal->Append("deep", {{"d", deep}}));
  EXPECT_EQ(journal->Append("big", {{"text", std::string(kMaxEntry, 'a')}}).error().code,
            "input.too_large");
  EXPECT_EQ(journal->Size(), 0u);
}

TEST_F(JournalTest, AFoldThatFailsStopsOpening) {
  Fill(2);
  const auto journal =
      Journal::Open(Options(OpenSqliteJournalStore(path_).value()),
                    [](uint64_t, int64_t, std::string_view, const json::object&) -> Result<> {
                      return Fail("input.malformed", "no such type");
                    });
  EXPECT_EQ(journal.error().code, "input.malformed");
}

TEST_F(JournalTest, ManyThreadsAppend) {
  {
    const auto journal = Open().value();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 10; ++i) {
          EXPECT_TRUE(journal->Append("test", {{"thread", t}, {"i", i}}));
          EXPECT_TRUE(journal->Prove(0));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(journal->Size(), 40u);
  }
  EXPECT_EQ(Code(), "opened");
  EXPECT_EQ(seen_.size(), 40u);
}

TEST_F(JournalTest, NothingOfAnEntryLiesOpenOnDisk) {
  {
    const auto journal = Open().value();
    ASSERT_TRUE(journal->Append("marker-type", {{"marker-name", "marker-value"}}));
  }
  const auto entry = std::filesystem::directory_iterator(folder_);
  for (const auto& file : entry) {
    const Bytes bytes = ReadFile(file.path(), 1 << 24).value();
    EXPECT_EQ(AsText(bytes).find("marker"), std::string_view::npos) << file.path();
  }
}

TEST_F(JournalTest, StopsWhereTheStoreFails) {
  // Writes, but says it failed: the journal cannot know what is there.
  class LyingStore : public JournalStore {
   public:
    explicit LyingStore(std::unique_ptr<JournalStore> real) : real_(std::move(real)) {}
    Result<uint64_t> Size() override { return real_->Size(); }
    Result<> Append(uint64_t seq, std::span<const Bytes> entries, ByteView head) override {
      if (mode == 1) return Fail("io.disk_full", "nothing written");
      TRY(real_->Append(seq, entries, head));
      if (mode == 2) return Fail("io.failed", "written all the same");
      return {};
    }
    Result<> ForEach(uint64_t from, const Visit& visit) override {
      return real_->ForEach(from, visit);
    }
    Result<Bytes> Entry(uint64_t seq) override { return real_->Entry(seq); }
    Result<Bytes> Head() override { return real_->Head(); }
    int mode = 0;

   private:
    std::unique_ptr<JournalStore> real_;
  };
  auto owned = std::make_unique<LyingStore>(OpenSqliteJournalStore(path_).value());
  LyingStore* const store = owned.get();
  auto journal = Journal::Open(Options(std::move(owned)),
                               [](uint64_t, int64_t, std::string_view,
                                  const json::object&) -> Result<> { return {}; })
                     .value();
  ASSERT_TRUE(journal->Append("a", {}));
  store->mode = 1;
  EXPECT_EQ(journal->Append("b", {}).error().code, "io.disk_full");
  store->mode = 0;
  EXPECT_EQ(*journal->Append("b", {}), 1u);
  store->mode = 2;
  EXPECT_EQ(journal->Append("c", {}).error().code, "io.failed");
  store->mode = 0;
  EXPECT_EQ(journal->Append("d", {}).error().code, "journal.conflict");
  journal.reset();
  EXPECT_EQ(Code(), "opened");
  EXPECT_EQ(seen_.size(), 3u);
}

// -- the public log

TEST_F(JournalTest, ProvesItsEntries) {
  Fill(5);
  const auto journal = Open().value();
  for (uint64_t seq = 0; seq < 5; ++seq) {
    const auto proof = journal->Prove(seq);
    ASSERT_TRUE(proof) << FormatError(proof.error());
    const json::object text = EntryProofJson(*proof);
    const auto read = ReadEntryProof(Fields(text, "proof"));
    ASSERT_TRUE(read) << FormatError(read.error());
    const auto proven = VerifyEntryProof(*read, journal->log_key());
    ASSERT_TRUE(proven) << FormatError(proven.error());
    EXPECT_EQ(proven->seq, seq);
    EXPECT_EQ(proven->type, "test");
    EXPECT_EQ(proven->millis, clock_.now);
    EXPECT_EQ(proven->data.at("n").to_number<uint64_t>(), seq);
    EXPECT_EQ(proven->checkpoint.size, 5u);
  }
  EXPECT_EQ(journal->Prove(5).error().code, "tlog.bad_range");
}

TEST_F(JournalTest, ChangedProofsAreRefused) {
  Fill(5);
  const auto journal = Open().value();
  const EntryProof good = journal->Prove(2).value();
  const auto code = [&](const EntryProof& proof) {
    const auto result = VerifyEntryProof(proof, journal->log_key());
    return result ? std::string("accepted") : result.error().code;
  };
  ASSERT_EQ(code(good), "accepted");
  EntryProof bad = good;
  bad.index = 3;
  EXPECT_EQ(code(bad), "tlog.bad_proof");
  bad = good;
  bad.size = 6;
  EXPECT_EQ(code(bad), "tlog.bad_proof");
  bad = good;
  bad.salt[0] ^= 1;
  EXPECT_EQ(code(bad), "tlog.bad_proof");
  bad = good;
  bad.text.replace(bad.text.find("\"n\":2"), 5, "\"n\":4");
  EXPECT_EQ(code(bad), "tlog.bad_proof");
  bad = good;
  bad.hashes[0][0] ^= 1;
  EXPECT_EQ(code(bad), "tlog.bad_proof");
  bad = good;
  bad.checkpoint.replace(bad.checkpoint.find("\n5\n"), 3, "\n6\n");
  EXPECT_EQ(code(bad), "crypto.bad_signature");
  NoteVerifier other = journal->log_key();
  other.key = crypto::Ed25519PublicFromSeed(Bytes(32, 9)).value();
  EXPECT_EQ(VerifyEntryProof(good, other).error().code, "crypto.bad_signature");

  json::object text = EntryProofJson(good);
  text["extra"] = 1;
  EXPECT_EQ(ReadEntryProof(Fields(text, "proof")).error().code, "input.unknown_member");
}

TEST_F(JournalTest, CheckpointsAreConsistent) {
  const auto journal = Open().value();
  ASSERT_TRUE(journal->Append("a", {}));
  const auto before = OpenCheckpoint(*journal->SignedCheckpoint(), journal->log_key()).value();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(journal->Append("b", {}));
  const auto after = OpenCheckpoint(*journal->SignedCheckpoint(), journal->log_key()).value();
  EXPECT_EQ(before.size, 1u);
  EXPECT_EQ(after.size, 7u);
  EXPECT_TRUE(VerifyConsistency(1, before.root, 7, after.root, *journal->ConsistencyProof(1, 7)));
}

TEST_F(JournalTest, PublishesTilesThatGiveTheRoot) {
  Fill(3);
  const auto journal = Open().value();
  const Bytes bundle = *journal->EntryBundle(0, 3), tile = *journal->TileBytes(0, 0, 3);
  MerkleTree tree;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ReadU16(bundle.data() + i * 34), 32);
    const MerkleHash leaf = LeafHash(ByteView(bundle).subspan(i * 34 + 2, 32));
    EXPECT_TRUE(Equal(leaf, ByteView(tile).subspan(i * 32, 32)));
    tree.Append(leaf);
  }
  EXPECT_EQ(*tree.Root(3), journal->Head().root);
  EXPECT_FALSE(journal->EntryBundle(0, 4));
  EXPECT_FALSE(journal->EntryBundle(1, 1));
  EXPECT_FALSE(journal->TileBytes(0, 0, 4));
}

// -- anchoring

TEST_F(JournalTest, CountsWhatIsNotAnchored) {
  MemoryFreshness source;
  freshness_ = &source;
  {
    const auto journal = Open().value();
    EXPECT_EQ(journal->OldestUnanchoredMillis(), std::nullopt);
    ASSERT_TRUE(journal->Append("a", {}));
    const int64_t first = clock_.now;
    clock_.now += 1000;
    ASSERT_TRUE(journal->Append("b", {}));
    EXPECT_EQ(journal->UnanchoredEntries(), 2u);
    EXPECT_EQ(journal->OldestUnanchoredMillis(), first);
    const Anchor anchor = journal->Head();
    ASSERT_TRUE(source.Publish(anchor));
    clock_.now += 1000;
    ASSERT_TRUE(journal->Append("c", {}));
    ASSERT_TRUE(journal->MarkAnchored(anchor));
    EXPECT_EQ(journal->AnchoredSize(), 2u);
    EXPECT_EQ(journal->UnanchoredEntries(), 1u);
    EXPECT_EQ(journal->OldestUnanchoredMillis(), clock_.now);
    Anchor wrong = anchor;
    wrong.root[0] ^= 1;
    EXPECT_EQ(journal->MarkAnchored(wrong).error().code, "journal.rolled_back");
    EXPECT_EQ(journal->MarkAnchored({.size = 9}).error().code, "journal.rolled_back");
    EXPECT_EQ(journal->AnchoredSize(), 2u);
  }
  const auto journal = Open().value();
  EXPECT_EQ(journal->AnchoredSize(), 2u);
  EXPECT_EQ(journal->UnanchoredEntries(), 1u);
}

TEST_F(JournalTest, RefusesABadOriginOrKey) {
  const Journal::Fold fold = [](uint64_t, int64_t, std::string_view,
                                const json::object&) -> Result<> { return {}; };
  JournalOptions options = Options(OpenSqliteJournalStore(path_).value());
  options.origin = "two words";
  EXPECT_EQ(Journal::Open(std::move(options), fold).error().code, "tlog.bad_note");
  options = Options(OpenSqliteJournalStore(path_).value());
  options.base_key = SecretBytes(31);
  EXPECT_EQ(Journal::Open(std::move(options), fold).error().code, "crypto.bad_key");
}

}  // namespace
}  // namespace cce::tlog
