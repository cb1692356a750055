#include "dataset/index.h"

#include <gtest/gtest.h>

#include "dataset/dataset_fixture.h"

namespace cce::dataset {
namespace {

IndexEntry FileEntry(uint32_t object, uint32_t size) {
  return {.attributes = {.mode = 0644, .mtime_ns = -5, .size = size},
          .digest = Digest{1},
          .extents = {{.object = object, .offset = 100, .length = size}}};
}
IndexEntry FolderEntry() { return {.attributes = {.type = EntryType::kFolder, .mode = 0755}}; }
IndexEntry LinkEntry(std::string target) {
  return {.attributes = {.type = EntryType::kLink, .mode = 0777, .size = target.size()},
          .digest = Digest{2},
          .target = target};
}
IndexObject ObjectOf(uint64_t plain) {
  IndexObject object{.name = {7}, .sealed_size = crypto::StreamSealedSize(plain, 16), .epoch = 3};
  object.header[6] = 16;
  return object;
}

using Entries = std::vector<std::pair<std::string, IndexEntry>>;

Result<Bytes> Write(const Entries& entries, const std::vector<IndexObject>& objects) {
  Bytes plain;
  IndexWriter writer(kTestDataset, [&](ByteView bytes) -> Result<> {
    Append(plain, bytes);
    return {};
  });
  TRY(writer.Begin());
  for (const auto& [path, entry] : entries) TRY(writer.Add(path, entry));
  TRY(writer.Finish(objects));
  return plain;
}

Entries Sample() {
  return {{"a", FolderEntry()},      {"a/b", FolderEntry()},    {"a/b/f", FileEntry(0, 10)},
          {"a/c", LinkEntry("b/f")}, {"a.b", FileEntry(0, 20)}, {"empty", FolderEntry()},
          {"z", FileEntry(0, 30)}};
}

TEST(Index, GivesBackWhatWasWritten) {
  const Index index =
      Index::Parse(Write(Sample(), {ObjectOf(65536)}).value(), kTestDataset).value();
  EXPECT_EQ(index.size(), 8u);
  EXPECT_EQ(index.counts(), (ContentCounts{.files = 3, .folders = 3, .links = 1, .bytes = 60}));
  for (const auto& [path, entry] : Sample()) {
    const auto id = index.Find(path);
    ASSERT_TRUE(id) << path;
    EXPECT_EQ(index.Path(*id), path);
    EXPECT_EQ(index.ContentDigest(*id), entry.digest);
    EXPECT_EQ(index.LinkTarget(*id), entry.target);
    EXPECT_EQ(index.GetAttributes(*id).size, entry.attributes.size);
    EXPECT_EQ(index.GetAttributes(*id).mtime_ns, entry.attributes.mtime_ns);
    EXPECT_EQ(index.ExtentCount(*id), entry.extents.size());
  }
  EXPECT_EQ(index.Find(""), Index::kRoot);
  for (const std::string_view missing : {"a/x", "b", "a/b/f/g", "a.", "/a", "a/"}) {
    EXPECT_FALSE(index.Find(missing)) << missing;
  }
  std::vector<std::string> names;
  for (const Index::Id id : index.Children(Index::kRoot)) names.emplace_back(index.Name(id));
  EXPECT_EQ(names, (std::vector<std::string>{"a", "a.b", "empty", "z"}));
  EXPECT_EQ(index.SubtreeEnd(*index.Find("a")), *index.Find("a.b"));
  EXPECT_EQ(index.SubtreeEnd(Index::kRoot), index.size());
  EXPECT_TRUE(index.Children(*index.Find("z")).empty());
  EXPECT_EQ(index.objects()[0].epoch, 3u);
}

TEST(IndexWriter, WantsPathOrderAndFolders) {
  for (const Entries& entries : std::vector<Entries>{
           {{"b", FileEntry(0, 1)}, {"a", FileEntry(0, 1)}},
           {{"a", FileEntry(0, 1)}, {"a", FileEntry(0, 1)}},
           {{"a/b", FileEntry(0, 1)}},
           {{"a", FileEntry(0, 1)}, {"a/b", FileEntry(0, 1)}},
           {{"a", FolderEntry()}, {"a/b/c", FileEntry(0, 1)}},
           {{"a", FolderEntry()}, {"a.b", FileEntry(0, 1)}, {"a/b", FileEntry(0, 1)}},
           {{"a", FolderEntry()}, {"ab/c", FileEntry(0, 1)}}}) {
    const auto written = Write(entries, {ObjectOf(65536)});
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, "upload.out_of_order");
  }
  EXPECT_EQ(Write({{"../a", FileEntry(0, 1)}}, {}).error().code, "dataset.bad_path");
  EXPECT_EQ(Write({{"l", LinkEntry("../a")}}, {}).error().code, "dataset.bad_link");
}

TEST(IndexParse, ChecksExtents) {
  const auto parse = [](IndexEntry entry) {
    return Index::Parse(Write({{"f", std::move(entry)}}, {ObjectOf(65536)}).value(), kTestDataset);
  };
  EXPECT_TRUE(parse(FileEntry(0, 65436)));
  EXPECT_FALSE(parse(FileEntry(0, 65437)));  // past the object's end
  EXPECT_FALSE(parse(FileEntry(1, 10)));     // no such object
  IndexEntry wrong_sum = FileEntry(0, 10);
  wrong_sum.attributes.size = 11;
  EXPECT_FALSE(parse(wrong_sum));
  IndexEntry unequal = FileEntry(0, 10);
  unequal.extents = {{0, 0, 3}, {0, 3, 4}, {0, 7, 3}};
  EXPECT_FALSE(parse(unequal));
  unequal.extents = {{0, 0, 4}, {0, 4, 4}, {0, 8, 2}};
  EXPECT_TRUE(parse(unequal));
  unequal.extents = {{0, 0, 10}, {0, 10, 0}};
  EXPECT_FALSE(parse(unequal));
}

TEST(IndexParse, RefusesAnotherDataset) {
  const auto index = Index::Parse(Write(Sample(), {ObjectOf(65536)}).value(), DatasetId{9});
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().code, "dataset.bad_index");
}

TEST(IndexParse, SurvivesAnyBitFlipAndTruncation) {
  const Bytes good = Write(Sample(), {ObjectOf(65536), ObjectOf(0)}).value();
  for (size_t i = 0; i < good.size(); ++i) {
    for (const uint8_t mask : Bytes{1, 0x80, 0xff}) {
      Bytes bad = good;
      bad[i] ^= mask;
      // Many single bits are values that any index may hold; what parses must be walkable.
      const auto index = Index::Parse(std::move(bad), kTestDataset);
      if (!index) continue;
      for (Index::Id id = 0; id < index->size(); ++id) {
        EXPECT_EQ(index->Find(index->Path(id)), id);
        for (uint32_t e = 0; e < index->ExtentCount(id); ++e) index->GetExtent(id, e);
        index->LinkTarget(id);
        index->ContentDigest(id);
      }
    }
    EXPECT_FALSE(Index::Parse(ToBytes(ByteView(good).first(i)), kTestDataset));
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(Index::Parse(std::move(longer), kTestDataset));
}

TEST(Index, TakesAtMost96BytesAFileBesideItsName) {
  Entries entries;
  size_t names = 0;
  for (int i = 1000; i < 2000; ++i) {
    entries.emplace_back("file" + std::to_string(i), FileEntry(0, 5));
    names += entries.back().first.size();
  }
  const size_t empty = Write({}, {ObjectOf(65536)}).value().size();
  EXPECT_LE(Write(entries, {ObjectOf(65536)}).value().size() - empty, entries.size() * 96 + names);
}

}  // namespace
}  // namespace cce::dataset
