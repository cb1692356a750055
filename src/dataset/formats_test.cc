// What docs/formats/dataset.md promises: its vectors were made by software that is not this
// project's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "crypto/format_vectors.h"
#include "dataset/dataset_fixture.h"
#include "dataset/known_files.h"
#include "dataset/memory_store.h"
#include "dataset/part_record.h"

namespace cce::dataset {
namespace {

const FormatVectors& V() {
  static const FormatVectors vectors("dataset.md");
  return vectors;
}

template <size_t N>
ByteArray<N> Array(const std::string& name) {
  return ToArray<N>(V().Hex(name)).value();
}

TEST(DatasetFormats, ContentDigests) {
  EXPECT_EQ(ToHex(TreeDigest({})), V().Text("content_empty"));
  EXPECT_EQ(ToHex(TreeDigest(AsBytes("hello"))), V().Text("content_hello"));
  Bytes large(size_t{5} << 20);
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<uint8_t>(i);
  EXPECT_EQ(ToHex(TreeDigest(large)), V().Text("content_5mib"));
}

TEST(DatasetFormats, UploadPartIsAcceptedAndFinalized) {
  MemoryStore store;
  const SecretBytes dek = SecretBytes::CopyOf(V().Hex("dek"));
  const DraftWriter writer(store, Array<20>("dataset"), Array<16>("draft"), 7, dek);
  const Bytes wire = V().Hex("part_wire");
  const auto receipt = writer.AcceptPart(0, SourceOf(wire));
  ASSERT_TRUE(receipt) << FormatError(receipt.error());
  EXPECT_EQ(ToHex(receipt->digest), V().Text("part_digest"));
  const FinalizeRequest request{.salt = Array<32>("receipt_salt"),
                                .root = Array<32>("receipt_root"),
                                .counts = {.files = 2, .folders = 1, .links = 1, .bytes = 5}};
  const auto info = writer.Finalize({*receipt}, request);
  ASSERT_TRUE(info) << FormatError(info.error());
}

TEST(DatasetFormats, UploadPlanWritesThePart) {
  const TestFolder folder;
  folder.Write("a/f", AsBytes("hello"));
  folder.Write("e", {});
  std::filesystem::create_symlink("a/f", folder.At("l"));
  const auto mode = [&](std::string_view name, mode_t bits) {
    ASSERT_EQ(::chmod(folder.At(name).c_str(), bits), 0);
  };
  mode("a", 0755);
  mode("a/f", 0644);
  mode("e", 0600);
  const timespec times[] = {{.tv_sec = 1'700'000'000, .tv_nsec = 5},
                            {.tv_sec = 1'700'000'000, .tv_nsec = 5}};
  for (const std::string_view name : {"a/f", "a", "e", "l"}) {
    ASSERT_EQ(::utimensat(-1, folder.At(name).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  const UploadPlan plan = UploadPlan::Scan(folder.path()).value();
  ASSERT_EQ(plan.part_count(), 1u);
  EXPECT_EQ(ToHex(WireOf(plan, 0, Array<16>("draft"))), V().Text("part_wire"));
  EXPECT_EQ(ToHex(plan.Root(Array<32>("receipt_salt")).value()), V().Text("receipt_root"));
}

TEST(DatasetFormats, PartRecord) {
  auto reader = PartRecordReader::Open(V().Hex("record_plain"), {}).value();
  EXPECT_EQ(ToHex(reader.head().object.name), V().Text("object_name"));
  Bytes again;
  AppendPartRecordHead(again, reader.head());
  while (const auto piece = reader.Next().value()) AppendRecordedPiece(again, *piece);
  EXPECT_EQ(ToHex(again), V().Text("record_plain"));
}

// The second draft refers to a file of the snapshot, and brings one in chunks of 256 KiB.
TEST(DatasetFormats, KnownFilesAndReferences) {
  MemoryStore store;
  const SecretBytes dek = SecretBytes::CopyOf(V().Hex("dek"));
  const auto dataset = Array<20>("dataset");
  const auto draft = Array<16>("draft2");
  ASSERT_TRUE(PutObject(store, V().Hex("object_sealed")));
  const StoredObject index = PutObject(store, V().Hex("index_sealed")).value();
  const SealedIndex base{index.name, index.size};

  const SecretBytes key = KnownFilesKey(dek.Expose(), dataset, draft, index.name);
  EXPECT_EQ(ToHex(key.Expose()), V().Text("known_key"));
  Bytes list;
  const auto scan = IndexScan::Open(store, dataset, 7, dek.Expose(), base).value();
  ASSERT_TRUE(WriteKnownFiles(*scan, index.name, 7, key.Expose(), [&](ByteView bytes) -> Result<> {
    Append(list, bytes);
    return {};
  }));
  EXPECT_EQ(ToHex(list), V().Text("known_files"));
  const KnownFiles known = KnownFiles::Parse(list, key.Clone()).value();
  EXPECT_EQ(known.Find(5, TreeDigest(AsBytes("hello"))), 1u);
  EXPECT_FALSE(known.Find(5, TreeDigest(AsBytes("hallo"))));

  const DraftWriter writer(store, dataset, draft, 7, dek);
  const Bytes wire = V().Hex("same_wire");
  const PartReceipt receipt = writer.AcceptPart(0, SourceOf(wire)).value();
  const auto info = writer.Finalize({receipt},
                                    {.salt = Array<32>("receipt_salt"),
                                     .root = Array<32>("same_root"),
                                     .counts = {.files = 2, .bytes = 7}},
                                    [&](const SnapshotId&) -> Result<SealedIndex> { return base; });
  ASSERT_TRUE(info) << FormatError(info.error());
  ASSERT_EQ(info->objects.size(), 2u);
  EXPECT_EQ(ToHex(info->objects[1].name), V().Text("object_name"));
  EXPECT_EQ(store.Peek(info->objects[0].name)[6], 18);
}

TEST(DatasetFormats, SnapshotReads) {
  MemoryStore store;
  ASSERT_EQ(ToHex(PutObject(store, V().Hex("object_sealed")).value().name),
            V().Text("object_name"));
  const StoredObject index = PutObject(store, V().Hex("index_sealed")).value();
  ASSERT_EQ(ToHex(index.name), V().Text("snapshot"));
  EpochKeys keys;
  keys.emplace(7, SecretBytes::CopyOf(V().Hex("dek")));
  const auto reader =
      SnapshotReader::Open(store, Array<20>("dataset"), index.name, std::move(keys));
  ASSERT_TRUE(reader) << FormatError(reader.error());
  const auto file = (*reader)->index().Find("a/f");
  ASSERT_TRUE(file);
  EXPECT_EQ(AsText(ReadWhole(**reader, *file).value()), "hello");
  EXPECT_EQ((*reader)->index().LinkTarget(*(*reader)->index().Find("l")), "a/f");
}

TEST(DatasetFormats, IndexPlain) {
  const auto index = Index::Parse(V().Hex("index_plain"), Array<20>("dataset"));
  ASSERT_TRUE(index) << FormatError(index.error());
  Bytes again;
  IndexWriter writer(Array<20>("dataset"), [&](ByteView bytes) -> Result<> {
    Append(again, bytes);
    return {};
  });
  ASSERT_TRUE(writer.Begin());
  for (Index::Id id = 1; id < index->size(); ++id) {
    IndexEntry entry{.attributes = index->GetAttributes(id),
                     .digest = index->ContentDigest(id),
                     .target = std::string(index->LinkTarget(id))};
    for (uint32_t i = 0; i < index->ExtentCount(id); ++i) {
      entry.extents.push_back(index->GetExtent(id, i));
    }
    ASSERT_TRUE(writer.Add(index->Path(id), entry));
  }
  ASSERT_TRUE(writer.Finish(index->objects()));
  EXPECT_EQ(ToHex(again), V().Text("index_plain"));
}

}  // namespace
}  // namespace cce::dataset
