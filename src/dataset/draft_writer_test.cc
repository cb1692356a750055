#include "dataset/draft_writer.h"

#include <gtest/gtest.h>

#include "dataset/dataset_fixture.h"
#include "dataset/memory_store.h"

namespace cce::dataset {
namespace {

constexpr PlanOptions kSmall{.pack_target = 4096, .piece_size = kDigestSpan};

// A part put together by hand, with a right trailer unless told otherwise.
struct RawPart {
  struct Piece {
    PieceHead head;
    Bytes payload;
  };
  PartHeader header{.draft = kTestDraft};
  std::vector<Piece> pieces;

  void AddFile(std::string path, ByteView content) {
    pieces.push_back({.head = {.attributes = {.mode = 0644, .size = content.size()},
                               .last = true,
                               .length = content.size(),
                               .path = std::move(path)},
                      .payload = ToBytes(content)});
  }
  void AddFolder(std::string path) {
    pieces.push_back({.head = {.attributes = {.type = EntryType::kFolder, .mode = 0755},
                               .last = true,
                               .path = std::move(path)}});
  }
  void AddLink(std::string path, std::string_view target) {
    AddFile(std::move(path), AsBytes(target));
    pieces.back().head.attributes.type = EntryType::kLink;
  }
  Bytes Wire(bool derive_header = true) {
    if (derive_header) {
      header.records = static_cast<uint32_t>(pieces.size());
      header.payload = 0;
      for (const Piece& piece : pieces) header.payload += piece.payload.size();
    }
    Bytes wire;
    AppendPartHeader(wire, header);
    PartDigester digester;
    digester.Header(wire);
    for (const Piece& piece : pieces) {
      Bytes head;
      AppendPieceHead(head, piece.head);
      SpanHasher hasher;
      hasher.Update(piece.payload);
      digester.Piece(head, hasher.Finish());
      Append(wire, head);
      Append(wire, piece.payload);
    }
    Append(wire, digester.Finish());
    return wire;
  }
};

class DraftWriterTest : public testing::Test {
 protected:
  Result<PartReceipt> Accept(uint32_t part, ByteView wire, const PartReceipt* known = nullptr) {
    return writer_.AcceptPart(part, SourceOf(wire), known);
  }
  void ExpectRefused(ByteView wire, std::string_view code) {
    const auto receipt = Accept(0, wire);
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().code, code) << FormatError(receipt.error());
    EXPECT_EQ(store_.count(), 0u);  // nothing of a refused part stays
  }

  MemoryStore store_;
  DraftWriter writer_{store_, kTestDataset, kTestDraft, kTestEpoch, TestDek()};
};

TEST_F(DraftWriterTest, RefusesHostilePaths) {
  for (const std::string& path :
       {std::string("../x"), std::string("/x"), std::string("a/../b"), std::string("a//b"),
        std::string("x\0y", 3), std::string(256, 'x'), std::string()}) {
    RawPart part;
    part.AddFile(path, AsBytes("content"));
    ExpectRefused(part.Wire(), "dataset.bad_path");
  }
  RawPart part;
  part.AddLink("l", "/etc/passwd");
  ExpectRefused(part.Wire(), "dataset.bad_link");
}

TEST_F(DraftWriterTest, RefusesHostileLengths) {
  const auto refused = [this](auto change, std::string_view code) {
    RawPart part;
    part.AddFile("f", AsBytes("content"));
    part.Wire();
    change(part);
    ExpectRefused(part.Wire(false), code);
  };
  refused([](RawPart& p) { p.header.records = 0; }, "upload.bad_part");
  refused([](RawPart& p) { p.header.records = 2; }, "upload.bad_part");
  refused([](RawPart& p) { p.header.records = UINT32_MAX; }, "upload.part_too_large");
  refused([](RawPart& p) { p.header.payload = 6; }, "upload.bad_part");
  refused([](RawPart& p) { p.header.payload = 8; }, "upload.bad_part");
  refused([](RawPart& p) { p.header.payload = kMaxObjectPlain + 1; }, "upload.part_too_large");
  refused([](RawPart& p) { p.pieces[0].head.length = UINT64_MAX; }, "upload.bad_part");
  refused([](RawPart& p) { p.pieces[0].head.attributes.size = 8; }, "upload.bad_part");
  refused([](RawPart& p) { p.pieces[0].head.last = false; }, "upload.bad_part");
  refused([](RawPart& p) { p.pieces[0].head.offset = 1; }, "upload.bad_part");
  refused([](RawPart& p) { p.pieces[0].head.offset = UINT64_MAX - 3; }, "upload.bad_part");
  refused([](RawPart& p) { p.pieces[0].head.attributes.mode = 010000; }, "upload.bad_part");
  refused([](RawPart& p) { p.pieces[0].head.attributes.type = static_cast<EntryType>(4); },
          "upload.refused_kind");
  refused([](RawPart& p) { p.pieces[0].head.attributes.type = EntryType::kFolder; },
          "upload.bad_part");
  refused([](RawPart& p) { p.header.chunk_log2 = 17; }, "upload.bad_part");
  refused([](RawPart& p) { p.header.chunk_log2 = 30; }, "upload.bad_part");
  refused([](RawPart& p) { p.header.part = 1; }, "upload.wrong_draft");
  refused([](RawPart& p) { p.header.draft[0] ^= 1; }, "upload.wrong_draft");
}

TEST_F(DraftWriterTest, RefusesDoubledAndMisplacedEntries) {
  RawPart doubled;
  doubled.AddFile("f", AsBytes("1"));
  doubled.AddFile("f", AsBytes("2"));
  ExpectRefused(doubled.Wire(), "upload.out_of_order");
  RawPart misplaced;
  misplaced.AddFile("g", AsBytes("1"));
  misplaced.AddFile("f", AsBytes("2"));
  ExpectRefused(misplaced.Wire(), "upload.out_of_order");
}

TEST_F(DraftWriterTest, BoundsTheNamesOfAPart) {
  PartLimits limits;
  limits.max_head_bytes = 100;
  const DraftWriter writer(store_, kTestDataset, kTestDraft, kTestEpoch, TestDek(), limits);
  RawPart part;
  part.AddFile(std::string(100, 'x'), {});
  const auto refused = writer.AcceptPart(0, SourceOf(part.Wire()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "upload.part_too_large");
}

TEST_F(DraftWriterTest, RefusesEveryFlippedByteAndEveryTruncation) {
  RawPart part;
  part.AddFolder("d");
  part.AddFile("d/f", AsBytes("content"));
  part.AddLink("l", "d/f");
  const Bytes good = part.Wire();
  for (size_t i = 0; i < good.size(); ++i) {
    Bytes flipped = good;
    flipped[i] ^= 1;
    EXPECT_FALSE(Accept(0, flipped)) << i;
    EXPECT_FALSE(Accept(0, ByteView(good).first(i))) << i;
  }
  Bytes longer = good;
  longer.push_back(0);
  ExpectRefused(longer, "upload.bad_part");
  EXPECT_TRUE(Accept(0, good));
}

TEST_F(DraftWriterTest, PassesOnTheSourcesError) {
  const auto receipt =
      writer_.AcceptPart(0, [](size_t) -> Result<ByteView> { return Fail("io.failed", "gone"); });
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, "io.failed");
}

// However few bytes a source gives at a time, the part is the same.
TEST_F(DraftWriterTest, TakesAPartInAnyPieces) {
  RawPart part;
  part.AddFile("a/f", Noise(3 * kDigestLeaf + 7, 1));
  part.AddFile("link-to-be", AsBytes("content"));
  const Bytes wire = part.Wire();
  const PartReceipt whole = Accept(0, wire).value();
  for (const size_t piece : {size_t{1}, size_t{37}, kDigestLeaf + 1}) {
    ByteView rest = wire;
    const auto receipt = writer_.AcceptPart(0, [&](size_t max) -> Result<ByteView> {
      const ByteView next = rest.first(std::min({max, piece, rest.size()}));
      rest = rest.subspan(next.size());
      return next;
    });
    ASSERT_TRUE(receipt) << FormatError(receipt.error());
    EXPECT_EQ(receipt->digest, whole.digest);
    EXPECT_EQ(receipt->bytes, whole.bytes);
  }
}

TEST_F(DraftWriterTest, ARepeatedPartGivesTheKnownReceiptAndWritesNothing) {
  RawPart part;
  part.AddFile("f", AsBytes("content"));
  const PartReceipt first = Accept(0, part.Wire()).value();
  const size_t objects = store_.count();
  EXPECT_EQ(Accept(0, part.Wire(), &first).value(), first);
  EXPECT_EQ(store_.count(), objects);
  part.pieces[0].payload[0] ^= 1;
  const auto other = Accept(0, part.Wire(), &first);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, "upload.part_conflict");
  EXPECT_EQ(store_.count(), objects);
}

// Three parts: two folders of files, and a file of two pieces.
class FinalizeTest : public DraftWriterTest {
 protected:
  void SetUp() override {
    for (int i = 0; i < 6; ++i)
      folder_.Write("d" + std::to_string(i / 3) + "/f" + std::to_string(i), Noise(1500, i));
    folder_.Write("large", Noise(kDigestSpan + 9, 9));
    plan_ = std::make_unique<UploadPlan>(UploadPlan::Scan(folder_.path(), kSmall).value());
    upload_ = SendAll(writer_, *plan_).value();
    ASSERT_GE(upload_.receipts.size(), 4u);
  }
  void ExpectRefused(std::string_view code) {
    const auto info = writer_.Finalize(upload_.receipts, upload_.request);
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().code, code) << FormatError(info.error());
  }

  TestFolder folder_;
  std::unique_ptr<UploadPlan> plan_;
  TestUpload upload_;
};

TEST_F(FinalizeTest, TakesPartsInAnyOrder) {
  std::reverse(upload_.receipts.begin(), upload_.receipts.end());
  const auto info = writer_.Finalize(upload_.receipts, upload_.request);
  ASSERT_TRUE(info) << FormatError(info.error());
  EXPECT_EQ(info->counts, plan_->counts());
  EXPECT_EQ(info->root, upload_.request.root);
  // Repeatable: another index object of the same content.
  EXPECT_TRUE(writer_.Finalize(upload_.receipts, upload_.request));
}

TEST_F(FinalizeTest, ResumesWithPartsOfAnEarlierRun) {
  // A new run of the client: the same folder, another plan object, the last part still to be sent.
  const UploadPlan again = UploadPlan::Scan(folder_.path(), kSmall).value();
  std::vector<PartReceipt> receipts(upload_.receipts.begin(), upload_.receipts.end() - 1);
  for (uint32_t part = 0; part < again.part_count(); ++part) {
    const Bytes wire = WireOf(again, part, kTestDraft);
    if (part < receipts.size()) {
      EXPECT_TRUE(Equal(ByteView(wire).last(32), receipts[part].digest));
    } else {
      receipts.push_back(Accept(part, wire).value());
    }
  }
  FinalizeRequest request = upload_.request;
  request.root = again.Root(kTestSalt).value();
  EXPECT_TRUE(writer_.Finalize(receipts, request));
}

TEST_F(FinalizeTest, RefusesAMissingPart) {
  const auto all = upload_.receipts;
  for (size_t i = 0; i < all.size(); ++i) {
    upload_.receipts = all;
    upload_.receipts.erase(upload_.receipts.begin() + static_cast<ptrdiff_t>(i));
    // Without the last part nothing is missing by number; the cut file or the counts tell.
    ExpectRefused(i + 1 < all.size()      ? "upload.incomplete"
                  : all.back().bytes == 9 ? "upload.incomplete"
                                          : "upload.count_mismatch");
  }
}

TEST_F(FinalizeTest, RefusesADoubledPart) {
  upload_.receipts.push_back(upload_.receipts.front());
  ExpectRefused("upload.incomplete");
}

TEST_F(FinalizeTest, RefusesAnotherRootSaltOrCount) {
  upload_.request.root[0] ^= 1;
  ExpectRefused("dataset.root_mismatch");
  upload_.request.root[0] ^= 1;
  upload_.request.salt[0] ^= 1;
  ExpectRefused("dataset.root_mismatch");
  upload_.request.salt[0] ^= 1;
  ++upload_.request.counts.bytes;
  ExpectRefused("upload.count_mismatch");
}

TEST_F(FinalizeTest, RefusesSwappedAndForeignRecords) {
  const auto all = upload_.receipts;
  std::swap(upload_.receipts[0].record, upload_.receipts[1].record);
  std::swap(upload_.receipts[0].record_size, upload_.receipts[1].record_size);
  ExpectRefused("dataset.corrupt");
  upload_.receipts = all;
  const DraftWriter other_epoch(store_, kTestDataset, kTestDraft, kTestEpoch + 1, TestDek());
  EXPECT_EQ(other_epoch.Finalize(all, upload_.request).error().code, "dataset.corrupt");
  const DraftWriter other_draft(store_, kTestDataset, DraftId{9}, kTestEpoch, TestDek());
  EXPECT_EQ(other_draft.Finalize(all, upload_.request).error().code, "dataset.corrupt");
}

TEST_F(FinalizeTest, RefusesDamagedOrMissingRecordsAndObjects) {
  const PartReceipt& receipt = upload_.receipts[1];
  const Bytes record = store_.Peek(receipt.record);
  for (const size_t at :
       {size_t{0}, size_t{6}, size_t{20}, size_t{40}, size_t{60}, record.size() - 1}) {
    Bytes flipped = record;
    flipped[at] ^= 1;
    store_.Replace(receipt.record, flipped);
    ExpectRefused("dataset.corrupt");
  }
  Bytes longer = record;
  longer.push_back(0);
  store_.Replace(receipt.record, longer);
  ExpectRefused("dataset.corrupt");
  ASSERT_TRUE(store_.Remove(receipt.record));
  ExpectRefused("dataset.missing_object");
  store_.Replace(receipt.record, record);
  const SnapshotInfo info = writer_.Finalize(upload_.receipts, upload_.request).value();
  ASSERT_TRUE(store_.Remove(info.objects[0].name));
  ExpectRefused("dataset.missing_object");
}

TEST_F(FinalizeTest, RefusesAFileWhoseFolderIsMissing) {
  RawPart part;
  part.AddFile("d/f", AsBytes("x"));
  const PartReceipt receipt = Accept(0, part.Wire()).value();
  const auto info = writer_.Finalize({receipt}, {.counts = {.files = 1, .bytes = 1}});
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, "upload.out_of_order");
}

TEST_F(FinalizeTest, RefusesAFileUnderAFile) {
  RawPart part;
  part.AddFile("d", AsBytes("x"));
  part.AddFile("d/f", AsBytes("x"));
  const PartReceipt receipt = Accept(0, part.Wire()).value();
  EXPECT_EQ(writer_.Finalize({receipt}, {}).error().code, "upload.out_of_order");
}

TEST_F(FinalizeTest, RefusesADuplicateAcrossParts) {
  RawPart first;
  first.AddFile("f", AsBytes("x"));
  RawPart second;
  second.header.part = 1;
  second.AddFile("f", AsBytes("y"));
  const std::vector<PartReceipt> receipts = {Accept(0, first.Wire()).value(),
                                             Accept(1, second.Wire()).value()};
  EXPECT_EQ(writer_.Finalize(receipts, {}).error().code, "upload.out_of_order");
}

TEST_F(FinalizeTest, RefusesPiecesThatDoNotFollow) {
  const Bytes content = Noise(2 * kDigestSpan, 1);
  const auto piece = [&](uint32_t number, uint64_t offset, uint16_t mode) {
    RawPart part;
    part.header.part = number;
    part.pieces.push_back({.head = {.attributes = {.mode = mode, .size = content.size()},
                                    .last = offset + kDigestSpan == content.size(),
                                    .offset = offset,
                                    .length = kDigestSpan,
                                    .path = "f"},
                           .payload = ToBytes(ByteView(content).subspan(offset, kDigestSpan))});
    return Accept(number, part.Wire()).value();
  };
  const PartReceipt front = piece(0, 0, 0644);
  const PartReceipt back = piece(1, kDigestSpan, 0644);
  FinalizeRequest request{.salt = kTestSalt, .counts = {.files = 1, .bytes = content.size()}};
  TreeHasher root;
  root.AddLeafHash(
      ReceiptLeaf(kTestSalt, "f", EntryType::kFile, content.size(), TreeDigest(content)));
  request.root = root.Root();
  EXPECT_TRUE(writer_.Finalize({front, back}, request));
  EXPECT_EQ(writer_.Finalize({front}, request).error().code, "upload.incomplete");
  EXPECT_EQ(writer_.Finalize({front, piece(1, 0, 0644)}, request).error().code,
            "upload.incomplete");
  EXPECT_EQ(writer_.Finalize({piece(0, kDigestSpan, 0644)}, request).error().code,
            "upload.out_of_order");
  EXPECT_EQ(writer_.Finalize({front, piece(1, kDigestSpan, 0600)}, request).error().code,
            "upload.incomplete");
}

TEST_F(FinalizeTest, DiscardLeavesNothing) {
  ASSERT_TRUE(writer_.Discard(upload_.receipts));
  EXPECT_EQ(store_.count(), 0u);
}

}  // namespace
}  // namespace cce::dataset
