// Uploads that refer to an earlier snapshot: what travels, what is shared, and what a client that
// lies gets.
#include <gtest/gtest.h>

#include <set>

#include "dataset/dataset_fixture.h"
#include "dataset/known_files.h"
#include "dataset/memory_store.h"

namespace cce::dataset {
namespace {

constexpr PlanOptions kSmall{.pack_target = 64 << 10, .piece_size = kDigestSpan};
constexpr DraftId kSecondDraft = {0xd8, 1};

struct Sent {
  UploadPlan plan;
  std::vector<PartReceipt> receipts;
  uint64_t wire = 0;  // bytes that travelled
};

class IncrementalTest : public testing::Test {
 protected:
  IncrementalTest() {
    for (int i = 0; i < 40; ++i) {
      folder_.Write("d" + std::to_string(i % 4) + "/f" + std::to_string(i), Noise(3000 + i, i));
    }
    folder_.Write("large", Noise(2 * kDigestSpan + 77, 100));
    folder_.Write("empty", {});
    first_ = UploadFolder(store_, folder_.path(), kSmall).value();
  }

  SealedIndex First() const { return {first_.snapshot, first_.index_size}; }

  Result<KnownFiles> List(const SealedIndex& base, uint32_t epoch = kTestEpoch, uint8_t dek = 1) {
    const SecretBytes key = TestDek(dek);
    ASSIGN_OR_RETURN(const auto index,
                     IndexScan::Open(store_, kTestDataset, epoch, key.Expose(), base));
    SecretBytes list_key = KnownFilesKey(key.Expose(), kTestDataset, kSecondDraft, base.snapshot);
    Bytes list;
    TRY(WriteKnownFiles(*index, base.snapshot, epoch, list_key.Expose(),
                        [&](ByteView bytes) -> Result<> {
                          Append(list, bytes);
                          return {};
                        }));
    return KnownFiles::Parse(list, std::move(list_key));
  }

  Sent Send(const DraftWriter& writer, const KnownFiles* known) {
    Sent sent{UploadPlan::Scan(folder_.path(), kSmall, {.known = known, .threads = 2}).value()};
    for (uint32_t part = 0; part < sent.plan.part_count(); ++part) {
      const auto reader = sent.plan.OpenPart(part, kSecondDraft).value();
      sent.wire += reader->wire_size();
      const auto receipt = writer.AcceptPart(part, SourceOf(*reader));
      EXPECT_TRUE(receipt) << FormatError(receipt.error());
      if (receipt) sent.receipts.push_back(*receipt);
    }
    return sent;
  }

  Result<SnapshotInfo> Finalize(const DraftWriter& writer, const Sent& sent) {
    ASSIGN_OR_RETURN(const Digest root, sent.plan.Root(kTestSalt));
    return writer.Finalize(
        sent.receipts, {.salt = kTestSalt, .root = root, .counts = sent.plan.counts()}, lookup_);
  }

  // Every file of the folder reads back from the snapshot.
  void ExpectEqual(const SnapshotId& snapshot) {
    const auto reader = SnapshotReader::Open(store_, kTestDataset, snapshot, TestKeys()).value();
    uint64_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (!entry.is_regular_file()) continue;
      ++files;
      const std::string path = entry.path().native().substr(folder_.path().size() + 1);
      const auto id = reader->index().Find(path);
      ASSERT_TRUE(id) << path;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string content((std::istreambuf_iterator<char>(in)), {});
      EXPECT_EQ(AsText(ReadWhole(*reader, *id).value()), content) << path;
      EXPECT_TRUE(reader->VerifyFile(*id)) << path;
    }
    EXPECT_EQ(reader->index().counts().files, files);
  }

  MemoryStore store_;
  TestFolder folder_;
  SnapshotInfo first_;
  DraftWriter writer_{store_, kTestDataset, kSecondDraft, kTestEpoch, TestDek()};
  BaseLookup lookup_ = [this](const SnapshotId& id) -> Result<SealedIndex> {
    if (id != first_.snapshot) return Fail("upload.no_base", "no such snapshot");
    return First();
  };
};

TEST_F(IncrementalTest, OnlyWhatChangedTravels) {
  folder_.Write("d1/f1", Noise(3001, 999));                                // other content
  folder_.Write("d3/new", Noise(500, 7));                                  // new
  std::filesystem::rename(folder_.At("d2/f2"), folder_.At("d0/renamed"));  // moved
  std::filesystem::permissions(folder_.At("d0/f0"), std::filesystem::perms(0600));
  std::filesystem::remove(folder_.At("d0/f4"));
  const KnownFiles known = List(First()).value();
  EXPECT_EQ(known.size(), 41u);
  const Sent sent = Send(writer_, &known);
  uint64_t content = 0, same = 0;
  for (uint32_t part = 0; part < sent.plan.part_count(); ++part) {
    content += sent.plan.PartPayload(part);
    same += sent.plan.PartSame(part);
  }
  EXPECT_EQ(content, 3001u + 500u);
  EXPECT_EQ(content + same, sent.plan.counts().bytes);
  EXPECT_LT(sent.wire, content + 48 * 200);  // a reference takes less than 200 bytes

  const auto info = Finalize(writer_, sent);
  ASSERT_TRUE(info) << FormatError(info.error());
  EXPECT_EQ(info->base, first_.snapshot);
  ExpectEqual(info->snapshot);
  // One object of its own; the others are the first snapshot's.
  std::set<ObjectName> before;
  for (const StoredObject& object : first_.objects) before.insert(object.name);
  size_t own = 0;
  for (const StoredObject& object : info->objects) own += before.contains(object.name) ? 0 : 1;
  EXPECT_EQ(own, 1u);
  EXPECT_GT(info->objects.size(), 2u);
}

TEST_F(IncrementalTest, NothingChangedSharesEverything) {
  const KnownFiles known = List(First()).value();
  const Sent sent = Send(writer_, &known);
  const size_t objects = store_.count() - sent.receipts.size();  // less the records
  const SnapshotInfo info = Finalize(writer_, sent).value();
  EXPECT_EQ(store_.count() - sent.receipts.size(), objects + 1);  // the new index alone
  EXPECT_EQ(info.objects.size(), first_.objects.size());
  EXPECT_EQ(info.root, first_.root);
  ExpectEqual(info.snapshot);
}

TEST_F(IncrementalTest, TheSameFolderGivesTheSameParts) {
  folder_.Write("d1/f1", Noise(10, 1));
  const KnownFiles known = List(First()).value();
  const UploadPlan a = UploadPlan::Scan(folder_.path(), kSmall, {.known = &known}).value();
  const UploadPlan b =
      UploadPlan::Scan(folder_.path(), kSmall, {.known = &known, .threads = 3}).value();
  ASSERT_EQ(a.part_count(), b.part_count());
  for (uint32_t part = 0; part < a.part_count(); ++part) {
    EXPECT_EQ(WireOf(a, part, kSecondDraft), WireOf(b, part, kSecondDraft));
  }
}

TEST_F(IncrementalTest, ListsOfTwoDraftsHaveNothingInCommon) {
  const SecretBytes dek = TestDek();
  const Digest content = TreeDigest(AsBytes("x"));
  const SecretBytes one = KnownFilesKey(dek.Expose(), kTestDataset, kTestDraft, first_.snapshot);
  const SecretBytes two = KnownFilesKey(dek.Expose(), kTestDataset, kSecondDraft, first_.snapshot);
  EXPECT_NE(TagOf(one.Expose(), 1, content), TagOf(two.Expose(), 1, content));
  EXPECT_NE(TagOf(one.Expose(), 1, content), TagOf(one.Expose(), 2, content));
}

// A part with one reference, as a client of its own making may send it.
Bytes ReferencePart(const SnapshotId& base, const PieceHead& piece) {
  Bytes wire, head;
  AppendPartHeader(wire, {.draft = kSecondDraft, .records = 1, .base = base});
  PartDigester digester;
  digester.Header(wire);
  AppendPieceHead(head, piece);
  digester.Piece(head, {});
  Append(wire, head);
  Append(wire, digester.Finish());
  return wire;
}

PieceHead Reference(uint64_t size, const SameContent& same) {
  return {.attributes = {.mode = 0644, .size = size}, .last = true, .path = "f", .same = same};
}

TEST_F(IncrementalTest, WhoDoesNotKnowADigestGainsNothing) {
  const auto scan =
      IndexScan::Open(store_, kTestDataset, kTestEpoch, TestDek().Expose(), First()).value();
  std::optional<ScannedFile> victim;
  ASSERT_TRUE(scan->ForEachFile([&](const ScannedFile& file) -> Result<> {
    if (!victim) victim = file;
    return {};
  }));
  const auto refused = [&](const PieceHead& piece, std::string_view code) {
    const auto receipt = writer_.AcceptPart(0, SourceOf(ReferencePart(first_.snapshot, piece)));
    ASSERT_TRUE(receipt) << FormatError(receipt.error());
    const auto info = writer_.Finalize(
        {*receipt}, {.salt = kTestSalt, .counts = {.files = 1, .bytes = piece.attributes.size}},
        lookup_);
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().code, code) << FormatError(info.error());
  };
  SameContent same{.entry = victim->entry, .digest = victim->digest};
  refused(Reference(victim->size, same), "dataset.root_mismatch");  // as far as honesty leads
  same.digest[0] ^= 1;
  refused(Reference(victim->size, same), "upload.not_as_before");
  same.digest = victim->digest;
  refused(Reference(victim->size + 1, same), "upload.not_as_before");
  same.entry = 0;  // a folder
  refused(Reference(victim->size, same), "upload.not_as_before");
  same.entry = UINT32_MAX;
  refused(Reference(victim->size, same), "upload.not_as_before");
}

TEST_F(IncrementalTest, RefusesHostileReferences) {
  const auto refused = [&](const SnapshotId& base, const PieceHead& piece) {
    const auto receipt = writer_.AcceptPart(0, SourceOf(ReferencePart(base, piece)));
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().code, "upload.bad_part") << FormatError(receipt.error());
  };
  refused({}, Reference(5, {}));               // to no snapshot
  refused(first_.snapshot, Reference(0, {}));  // to an empty file
  PieceHead piece = Reference(5, {});
  piece.attributes = {.type = EntryType::kFolder, .mode = 0755};
  refused(first_.snapshot, piece);
  piece = Reference(uint64_t{1} << 30, {});
  piece.offset = kDigestSpan;
  refused(first_.snapshot, piece);
  piece = Reference(5, {});
  piece.last = false;
  refused(first_.snapshot, piece);
}

TEST_F(IncrementalTest, RefusesABaseThatIsNotThere) {
  const KnownFiles known = List(First()).value();
  const Sent sent = Send(writer_, &known);
  const auto finalize = [&](const BaseLookup& lookup) {
    return writer_.Finalize(sent.receipts,
                            {.salt = kTestSalt,
                             .root = sent.plan.Root(kTestSalt).value(),
                             .counts = sent.plan.counts()},
                            lookup);
  };
  EXPECT_EQ(finalize({}).error().code, "upload.no_base");
  // An object of the base that the host took away.
  ASSERT_TRUE(store_.Remove(first_.objects.back().name));
  EXPECT_EQ(finalize(lookup_).error().code, "dataset.missing_object");
}

TEST_F(IncrementalTest, TheListLeavesOutOtherEpochs) {
  // The same key under another number opens nothing.
  EXPECT_EQ(List(First(), kTestEpoch + 1).error().code, "dataset.wrong_key");
  const auto scan =
      IndexScan::Open(store_, kTestDataset, kTestEpoch, TestDek().Expose(), First()).value();
  size_t bytes = 0;
  ASSERT_TRUE(WriteKnownFiles(*scan, first_.snapshot, kTestEpoch + 1, Bytes(32, 1),
                              [&](ByteView slice) -> Result<> {
                                bytes += slice.size();
                                return {};
                              }));
  EXPECT_EQ(bytes, kKnownHeaderSize);
}

TEST_F(IncrementalTest, AnotherIndexInItsPlaceIsRefused) {
  folder_.Write("d1/f1", Noise(10, 1));
  const SnapshotInfo second = UploadFolder(store_, folder_.path(), kSmall).value();
  const Bytes other = ReadObject(store_, second.snapshot, 1 << 20).value();
  ASSERT_TRUE(store_.Remove(first_.snapshot));
  EXPECT_EQ(List(First()).error().code, "dataset.missing_object");
  store_.Replace(first_.snapshot, other);
  EXPECT_EQ(List({first_.snapshot, other.size()}).error().code, "dataset.corrupt");
}

TEST_F(IncrementalTest, ScansAnyOrder) {
  const auto reader =
      SnapshotReader::Open(store_, kTestDataset, first_.snapshot, TestKeys()).value();
  const auto scan =
      IndexScan::Open(store_, kTestDataset, kTestEpoch, TestDek().Expose(), First()).value();
  const uint32_t entries = reader->index().size() - 1;
  for (uint32_t i = 0; i < entries; ++i) {
    const uint32_t entry = i * 37 % entries;  // 37 and the number of entries have no divisor
    const auto file = scan->File(entry).value();
    const Index::Id id = entry + 1;
    ASSERT_EQ(file.has_value(), reader->index().GetAttributes(id).type == EntryType::kFile);
    if (file) EXPECT_EQ(file->digest, reader->index().ContentDigest(id));
  }
  EXPECT_FALSE(scan->File(entries).value());
}

}  // namespace
}  // namespace cce::dataset
