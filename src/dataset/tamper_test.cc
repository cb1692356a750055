// What a hostile storage host can do: whatever it gives, a reader sees the right bytes or the right
// error.
#include <gtest/gtest.h>

#include <set>

#include "dataset/dataset_fixture.h"
#include "dataset/memory_store.h"

namespace cce::dataset {
namespace {

constexpr PlanOptions kOptions{.pack_target = 100000, .piece_size = kDigestSpan};
constexpr size_t kSealedChunk = 65536 + 16;

class TamperTest : public testing::Test {
 protected:
  // Every upload has objects of the same sizes and other content.
  SnapshotInfo Upload(uint64_t seed, const DatasetId& dataset = kTestDataset,
                      uint32_t epoch = kTestEpoch, uint8_t dek = 1) {
    const TestFolder folder;
    std::map<std::string, Bytes> content = {{"big", Noise(kDigestSpan + 100001, seed)},
                                            {"s/1", Noise(40000, seed + 1)},
                                            {"s/2", Noise(40000, seed + 2)},
                                            {"t", Noise(90000, seed + 3)},
                                            {"u", Noise(90000, seed + 4)}};
    for (const auto& [path, bytes] : content) folder.Write(path, bytes);
    if (content_.empty()) content_ = std::move(content);
    return UploadFolder(store_, folder.path(), kOptions, dataset, epoch, dek).value();
  }
  void SetUp() override {
    snapshot_ = Upload(100);
    ASSERT_EQ(snapshot_.objects.size(), 5u);
  }

  // The codes met on the way through the whole snapshot. Wrong bytes are a failure.
  std::set<std::string> ReadEverything() {
    std::set<std::string> codes;
    const auto reader = SnapshotReader::Open(store_, kTestDataset, snapshot_.snapshot, TestKeys());
    if (!reader) return {reader.error().code};
    for (const auto& [path, bytes] : content_) {
      const auto id = (*reader)->index().Find(path);
      EXPECT_TRUE(id);
      const auto read = ReadWhole(**reader, *id);
      if (!read) {
        codes.insert(read.error().code);
        last_message_ = read.error().message;
      } else {
        EXPECT_TRUE(*read == bytes) << path;
      }
    }
    return codes;
  }
  void ExpectOnly(std::string_view code, const std::string& what) {
    EXPECT_EQ(ReadEverything(), std::set<std::string>{std::string(code)}) << what;
  }

  // Puts `bytes` under `name`, looks, and puts the right ones back.
  void With(const ObjectName& name, Bytes bytes, std::string_view code, const std::string& what) {
    const Bytes right = store_.Peek(name);
    store_.Replace(name, std::move(bytes));
    ExpectOnly(code, what);
    store_.Replace(name, right);
  }
  void FlipsAndCuts(const ObjectName& name, const std::vector<size_t>& flips) {
    const Bytes right = store_.Peek(name);
    for (const size_t at : flips) {
      Bytes bytes = right;
      bytes[at] ^= 0x10;
      With(name, std::move(bytes), "dataset.corrupt", "flip at " + std::to_string(at));
    }
    std::set<size_t> sizes = {0,
                              1,
                              47,
                              48,
                              49,
                              right.size() - 1,
                              right.size() + 1,
                              right.size() + 16,
                              right.size() + kSealedChunk};
    for (size_t end = 48 + kSealedChunk; end < right.size(); end += kSealedChunk * 7) {
      sizes.insert({end - 1, end, end + 1});
    }
    for (const size_t size : sizes) {
      if (size == right.size()) continue;
      Bytes bytes = right;
      bytes.resize(size);
      With(name, std::move(bytes), "dataset.corrupt", "size " + std::to_string(size));
    }
  }

  MemoryStore store_;
  SnapshotInfo snapshot_;
  std::map<std::string, Bytes> content_;
  std::string last_message_;
};

TEST_F(TamperTest, Untouched) { EXPECT_TRUE(ReadEverything().empty()); }

TEST_F(TamperTest, ContentObjects) {
  for (const StoredObject& object : snapshot_.objects) {
    std::vector<size_t> flips;
    for (size_t i = 0; i < 48; ++i)
      flips.push_back(i);  // magic, version, suite, chunk size, salt, commitment
    // Of the first and of the last chunk: first byte, last byte, tag. (Padding that no file covers
    // is not read.)
    flips.insert(flips.end(), {48, 48 + 65535, 48 + 65536, 48 + 65551});
    FlipsAndCuts(object.name, flips);
  }
}

TEST_F(TamperTest, NamesTheDamagedObject) {
  const ObjectName& name = snapshot_.objects[0].name;
  Bytes bytes = store_.Peek(name);
  bytes[100] ^= 1;
  store_.Replace(name, bytes);
  ExpectOnly("dataset.corrupt", "flip");
  EXPECT_NE(last_message_.find(ToHex(name)), std::string::npos);
}

TEST_F(TamperTest, ChunksReorderedAndDoubled) {
  const ObjectName& name = snapshot_.objects[0].name;
  const Bytes right = store_.Peek(name);
  Bytes swapped = right;
  std::swap_ranges(swapped.begin() + 48, swapped.begin() + 48 + kSealedChunk,
                   swapped.begin() + 48 + kSealedChunk);
  With(name, swapped, "dataset.corrupt", "two chunks swapped");
  Bytes doubled = right;
  std::copy_n(right.begin() + 48, kSealedChunk, doubled.begin() + 48 + kSealedChunk);
  With(name, doubled, "dataset.corrupt", "a chunk doubled");
  // The last chunk in another's place and the other way round.
  Bytes moved = right;
  std::copy_n(right.end() - kSealedChunk, kSealedChunk, moved.begin() + 48);
  With(name, moved, "dataset.corrupt", "the last chunk moved");
}

TEST_F(TamperTest, SwappedWithAnObjectOfTheSameSize) {
  const SnapshotInfo newer = Upload(200);
  const DatasetId other_dataset = {9};
  const SnapshotInfo foreign = Upload(300, other_dataset);
  const SnapshotInfo other_epoch = Upload(400, kTestDataset, kTestEpoch + 1, 1);
  const SnapshotInfo other_key = Upload(500, kTestDataset, kTestEpoch, 2);
  for (size_t i = 0; i < snapshot_.objects.size(); ++i) {
    const StoredObject& object = snapshot_.objects[i];
    for (const SnapshotInfo* from : std::initializer_list<const SnapshotInfo*>{
             &snapshot_, &newer, &foreign, &other_epoch, &other_key}) {
      for (size_t j = 0; j < from->objects.size(); ++j) {
        const StoredObject& other = from->objects[j];
        if (other.size != object.size || other.name == object.name) continue;
        With(object.name, store_.Peek(other.name), "dataset.corrupt",
             "object " + std::to_string(i) + " replaced by " + std::to_string(j));
        // The right header before another's chunks.
        Bytes spliced = store_.Peek(other.name);
        const Bytes right = store_.Peek(object.name);
        std::copy_n(right.begin(), 48, spliced.begin());
        With(object.name, std::move(spliced), "dataset.corrupt", "spliced");
      }
    }
  }
}

TEST_F(TamperTest, Deleted) {
  for (const StoredObject& object : snapshot_.objects) {
    const Bytes right = store_.Peek(object.name);
    ASSERT_TRUE(store_.Remove(object.name));
    ExpectOnly("dataset.missing_object", "deleted");
    store_.Replace(object.name, right);
  }
  ASSERT_TRUE(store_.Remove(snapshot_.snapshot));
  ExpectOnly("dataset.missing_object", "index deleted");
}

TEST_F(TamperTest, Index) {
  std::vector<size_t> flips;
  for (size_t i = 0; i < snapshot_.index_size; ++i) flips.push_back(i);
  FlipsAndCuts(snapshot_.snapshot, flips);
}

TEST_F(TamperTest, OldOrForeignIndex) {
  const SnapshotInfo newer = Upload(200);
  With(snapshot_.snapshot, store_.Peek(newer.snapshot), "dataset.wrong_snapshot",
       "another snapshot");
  const SnapshotInfo foreign = Upload(300, DatasetId{9});
  With(snapshot_.snapshot, store_.Peek(foreign.snapshot), "dataset.corrupt", "another dataset");
  const SnapshotInfo other_epoch = Upload(400, kTestDataset, kTestEpoch + 1, 1);
  With(snapshot_.snapshot, store_.Peek(other_epoch.snapshot), "dataset.corrupt", "another epoch");
  With(snapshot_.snapshot, store_.Peek(snapshot_.objects[0].name), "dataset.corrupt", "no index");
}

TEST_F(TamperTest, WrongKeys) {
  const auto open = [&](const DatasetId& dataset, EpochKeys keys) {
    const auto reader = SnapshotReader::Open(store_, dataset, snapshot_.snapshot, std::move(keys));
    return reader ? std::string() : reader.error().code;
  };
  EXPECT_EQ(open(kTestDataset, TestKeys()), "");
  EXPECT_EQ(open(DatasetId{9}, TestKeys()), "dataset.wrong_key");
  EXPECT_EQ(open(kTestDataset, TestKeys(kTestEpoch + 1)), "dataset.wrong_key");
  EXPECT_EQ(open(kTestDataset, TestKeys(kTestEpoch, 2)), "dataset.wrong_key");
  EXPECT_EQ(open(kTestDataset, {}), "dataset.wrong_key");
  EpochKeys several = TestKeys(kTestEpoch + 1, 3);
  several.emplace(kTestEpoch, TestDek());
  EXPECT_EQ(open(kTestDataset, std::move(several)), "");
}

TEST_F(TamperTest, ScrubNoticesDamageThatNoFileShows) {
  // The padding behind the last file of a pack.
  const StoredObject& object = snapshot_.objects.back();
  Bytes bytes = store_.Peek(object.name);
  bytes.back() ^= 1;
  store_.Replace(object.name, bytes);
  const auto reader =
      SnapshotReader::Open(store_, kTestDataset, snapshot_.snapshot, TestKeys()).value();
  const auto verified = reader->VerifyObject(static_cast<uint32_t>(snapshot_.objects.size() - 1));
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, "dataset.corrupt");
}

TEST_F(TamperTest, PrefetchChecksTheWholeObject) {
  Bytes bytes = store_.Peek(snapshot_.objects[0].name);
  bytes.back() ^= 1;
  store_.Replace(snapshot_.objects[0].name, bytes);
  const auto reader =
      SnapshotReader::Open(store_, kTestDataset, snapshot_.snapshot, TestKeys()).value();
  EXPECT_EQ(reader->Prefetch({0}, 1 << 30).error().code, "dataset.corrupt");
}

}  // namespace
}  // namespace cce::dataset
