// Folder -> parts -> snapshot -> reader, byte for byte.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <thread>

#include "dataset/dataset_fixture.h"
#include "dataset/memory_store.h"
#include "dataset/path.h"

namespace cce::dataset {
namespace {

namespace fs = std::filesystem;

// Small enough that a few files make many parts.
constexpr PlanOptions kSmall{.pack_target = 100000, .piece_size = kDigestSpan, .max_records = 16};

// That `reader` shows exactly what lies in `folder`.
void ExpectEqual(const TestFolder& folder, const SnapshotReader& reader) {
  const Index& index = reader.index();
  size_t entries = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    ++entries;
    const std::string path = fs::relative(entry.path(), folder.path()).lexically_normal().native();
    const auto id = index.Find(entry.path().native().substr(folder.path().size() + 1));
    ASSERT_TRUE(id) << ShowPath(path);
    struct stat info{};
    ASSERT_EQ(::lstat(entry.path().c_str(), &info), 0);
    const Attributes a = index.GetAttributes(*id);
    EXPECT_EQ(a.mode, info.st_mode & 07777);
    EXPECT_EQ(a.mtime_ns, int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec);
    if (S_ISREG(info.st_mode)) {
      EXPECT_EQ(a.type, EntryType::kFile);
      std::ifstream in(entry.path(), std::ios::binary);
      const Bytes content((std::istreambuf_iterator<char>(in)), {});
      const auto read = ReadWhole(reader, *id);
      ASSERT_TRUE(read) << FormatError(read.error());
      EXPECT_TRUE(*read == content) << ShowPath(path);
      EXPECT_EQ(index.ContentDigest(*id), TreeDigest(content));
      EXPECT_TRUE(reader.VerifyFile(*id));
    } else if (S_ISLNK(info.st_mode)) {
      EXPECT_EQ(a.type, EntryType::kLink);
      EXPECT_EQ(index.LinkTarget(*id), fs::read_symlink(entry.path()).native());
    } else {
      EXPECT_EQ(a.type, EntryType::kFolder);
    }
  }
  EXPECT_EQ(index.size(), entries + 1);
}

TEST(RoundTrip, ThePlanKnowsWhatItsPartsTakeInTheStore) {
  const TestFolder folder;
  folder.Write("a", Noise(1, 1));
  folder.Write("b", Noise(70000, 2));
  folder.Write("c", Noise(kDigestSpan + 5, 3));
  fs::create_directories(folder.At("d"));
  for (const uint8_t chunk_log2 : {uint8_t{16}, uint8_t{18}}) {
    PlanOptions options = kSmall;
    options.chunk_log2 = chunk_log2;
    const UploadPlan plan = UploadPlan::Scan(folder.path(), options).value();
    MemoryStore store;
    const DraftWriter writer(store, kTestDataset, kTestDraft, kTestEpoch, TestDek());
    const TestUpload upload = SendAll(writer, plan).value();
    for (const PartReceipt& receipt : upload.receipts) {
      EXPECT_EQ(plan.PartSealed(receipt.part), receipt.object.size) << receipt.part;
    }
  }
}

TEST(RoundTrip, TreeOfOddThings) {
  const TestFolder folder;
  for (const std::string_view name :
       {"plain", "sp ace", "new\nline", "\xff\xfe\x80", "-rf", "...", "a'b\"c",
        "deep/er/and/deep/er", "deep.er", "deep", "UPPER", "\xc3\xa4"}) {
    if (!fs::exists(folder.At(name))) folder.Write(name, Noise(name.size() * 100, name.size()));
  }
  folder.Write(std::string(255, 'n'), AsBytes("long"));
  fs::create_directories(folder.At("empty/emptier"));
  folder.Write("nothing", {});
  folder.Write("dir/nothing", {});
  fs::create_symlink("../plain", folder.At("dir/link"));
  fs::create_symlink("not-there", folder.At("dangling"));
  fs::create_hard_link(folder.At("plain"), folder.At("hard"));
  fs::permissions(folder.At("plain"), fs::perms(0640));
  fs::permissions(folder.At("empty"), fs::perms(0711));
  folder.Write("sparse", {});
  fs::resize_file(folder.At("sparse"), kDigestSpan + 100001);
  PlanOptions large_chunks = kSmall;
  large_chunks.chunk_log2 = 18;
  for (const PlanOptions& options : {PlanOptions{}, kSmall, large_chunks}) {
    MemoryStore store;
    const auto info = UploadFolder(store, folder.path(), options);
    ASSERT_TRUE(info) << FormatError(info.error());
    EXPECT_EQ(store.count(), info->objects.size() + 1);  // no part record stays
    const auto reader = SnapshotReader::Open(store, kTestDataset, info->snapshot, TestKeys());
    ASSERT_TRUE(reader) << FormatError(reader.error());
    EXPECT_EQ((*reader)->index().counts(), info->counts);
    ExpectEqual(folder, **reader);
    for (uint32_t i = 0; i < info->objects.size(); ++i) EXPECT_TRUE((*reader)->VerifyObject(i));
  }
}

TEST(RoundTrip, SizesAroundEveryBoundary) {
  const TestFolder folder;
  constexpr uint64_t kChunk = 65536;
  for (const uint64_t base : {uint64_t{0}, kChunk, 2 * kChunk, uint64_t{100000}, 17 * kChunk,
                              kDigestSpan, 2 * kDigestSpan}) {
    for (const uint64_t size : {base - 1, base, base + 1}) {
      if (size > 3 * kDigestSpan) continue;  // base 0
      folder.Write("f" + std::to_string(size), Noise(size, size));
    }
  }
  MemoryStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path(), kSmall).value();
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys()).value();
  ExpectEqual(folder, *reader);
  // Padded: the sizes say little about the content.
  for (const StoredObject& object : info.objects) {
    const uint64_t plain = crypto::StreamPlainSize(object.size, crypto::kDefaultChunkLog2).value();
    EXPECT_EQ(plain % kChunk, 0u);
  }
}

TEST(RoundTrip, ChunksOf256KiB) {
  const TestFolder folder;
  constexpr uint64_t kChunk = 262144;
  for (const uint64_t size : {kChunk - 1, kChunk, kChunk + 1, kDigestSpan + 5}) {
    folder.Write("f" + std::to_string(size), Noise(size, size));
  }
  PlanOptions options = kSmall;
  options.chunk_log2 = 18;
  MemoryStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path(), options).value();
  for (const StoredObject& object : info.objects) EXPECT_EQ(store.Peek(object.name)[6], 18);
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys()).value();
  ExpectEqual(folder, *reader);
}

TEST(RoundTrip, ReadsAnyRange) {
  const TestFolder folder;
  const Bytes content = Noise(2 * kDigestSpan + 300001, 1);
  folder.Write("before", Noise(777, 2));
  folder.Write("big", content);
  MemoryStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path(), kSmall).value();
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys(),
                                           {.cache_bytes = 3 << 16, .max_open_objects = 1})
                          .value();
  const Index::Id file = reader->index().Find("big").value();
  ASSERT_GT(reader->index().ExtentCount(file), 1u);
  std::mt19937_64 random(5);
  ReadScratch scratch;
  for (int i = 0; i < 300; ++i) {
    const uint64_t offset = random() % (content.size() + 10);
    Bytes out(random() % (i % 10 == 0 ? 3'000'000 : 70'000));
    const size_t n = reader->ReadAt(file, offset, out, scratch).value();
    const size_t expected =
        offset >= content.size() ? 0 : std::min(out.size(), content.size() - offset);
    ASSERT_EQ(n, expected);
    ASSERT_TRUE(Equal(ByteView(out).first(n),
                      ByteView(content).subspan(std::min(offset, content.size()), n)));
  }
}

TEST(RoundTrip, ManyReadersAtOnce) {
  const TestFolder folder;
  for (int i = 0; i < 40; ++i) folder.Write("f" + std::to_string(i), Noise(30000, i));
  MemoryStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path(), kSmall).value();
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys(),
                                           {.cache_bytes = 2 << 16, .max_open_objects = 2})
                          .value();
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        ReadScratch scratch;
        for (int i = 0; i < 200; ++i) {
          const int f = (i * 7 + t * 3) % 40;
          Bytes out(30000);
          const auto id = reader->index().Find("f" + std::to_string(f));
          if (!id || !reader->ReadAt(*id, 0, out, scratch) || out != Noise(30000, f)) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(RoundTrip, EmptySnapshot) {
  const TestFolder folder;
  MemoryStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path()).value();
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys()).value();
  EXPECT_EQ(reader->index().size(), 1u);
  EXPECT_TRUE(reader->index().Children(Index::kRoot).empty());
}

// Writes down what is opened.
class CountingStore : public MemoryStore {
 public:
  Result<std::unique_ptr<ObjectReader>> Open(const ObjectName& name) override {
    opened.push_back(name);
    return MemoryStore::Open(name);
  }
  std::vector<ObjectName> opened;
};

TEST(Prefetch, OpensTheObjectsInIndexOrderAndThenNone) {
  const TestFolder folder;
  for (int i = 0; i < 9; ++i) folder.Write("f" + std::to_string(i), Noise(90000, i));
  CountingStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path(), kSmall).value();
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys()).value();
  store.opened.clear();
  const std::vector<uint32_t> declared = reader->ObjectsFor({"f7", "f0", "f4"}).value();
  ASSERT_TRUE(reader->Prefetch(declared, UINT64_MAX));
  std::vector<ObjectName> expected;
  for (const uint32_t object : declared) expected.push_back(reader->index().objects()[object].name);
  EXPECT_TRUE(std::is_sorted(declared.begin(), declared.end()));
  EXPECT_EQ(store.opened, expected);
  for (int i = 0; i < 9; ++i) {
    const auto content = ReadWhole(*reader, *reader->index().Find("f" + std::to_string(i)));
    if (i % 4 == 0 || i == 7) continue;
    EXPECT_EQ(content.error().code, "dataset.not_prefetched") << i;
  }
  EXPECT_EQ(ReadWhole(*reader, *reader->index().Find("f7")).value(), Noise(90000, 7));
  EXPECT_EQ(store.opened, expected);
}

TEST(RoundTrip, AChunkGivesAllThatItHoldsOfAFile) {
  const TestFolder folder;
  const Bytes content = Noise(200'000, 1);
  folder.Write("a", Noise(1000, 2));
  folder.Write("b", content);
  folder.Write("c", {});
  MemoryStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path()).value();
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys()).value();
  const Index::Id file = reader->index().Find("b").value();
  ReadScratch scratch;
  for (uint64_t offset = 0; offset < content.size(); offset += 777) {
    const Stretch stretch = reader->ReadChunkAt(file, offset, scratch).value();
    ASSERT_TRUE(stretch.Holds(offset, 1));
    ASSERT_FALSE(stretch.Holds(offset, content.size()));
    ASSERT_TRUE(
        Equal(stretch.bytes, ByteView(content).subspan(stretch.offset, stretch.bytes.size())));
  }
  EXPECT_EQ(reader->ReadChunkAt(file, 0, scratch)->bytes.size(), 65536u - 1000);
  EXPECT_TRUE(reader->ReadChunkAt(file, content.size(), scratch)->bytes.empty());
  EXPECT_TRUE(reader->ReadChunkAt(*reader->index().Find("c"), 0, scratch)->bytes.empty());
}

// As a store on another machine.
class DistantStore : public MemoryStore {
 public:
  std::atomic<size_t> open = 0;
  std::atomic<size_t> once_open = 0;  // the most at once
  std::atomic<size_t> small_reads = 0;

  size_t most_open() const override { return 3; }
  Result<std::unique_ptr<ObjectReader>> Open(const ObjectName& name) override {
    class Reader : public ObjectReader {
     public:
      Reader(DistantStore& store, std::unique_ptr<ObjectReader> inner)
          : store_(store), inner_(std::move(inner)) {
        store_.once_open = std::max<size_t>(store_.once_open, ++store_.open);
      }
      ~Reader() override { --store_.open; }
      uint64_t size() const override { return inner_->size(); }
      bool distant() const override { return true; }
      Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
        if (out.size() <= crypto::kStreamHeaderSize) ++store_.small_reads;
        return inner_->ReadAt(offset, out);
      }

     private:
      DistantStore& store_;
      const std::unique_ptr<ObjectReader> inner_;
    };
    ASSIGN_OR_RETURN(auto inner, MemoryStore::Open(name));
    return std::make_unique<Reader>(*this, std::move(inner));
  }
};

TEST(DistantStore, HasFewObjectsOpenAndIsAskedForNoHeaderAlone) {
  const TestFolder folder;
  for (int i = 10; i < 30; ++i) folder.Write(std::to_string(i), Noise(90000, i));
  DistantStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path(), kSmall).value();
  ASSERT_EQ(info.objects.size(), 20u);
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys()).value();
  store.small_reads = store.once_open = 0;
  ReadScratch scratch;
  for (int round = 0; round < 2; ++round) {
    for (int i = 10; i < 30; ++i) {
      const Index::Id file = reader->index().Find(std::to_string(i)).value();
      Bytes end(100);
      ASSERT_TRUE(reader->ReadAt(file, 89900, end, scratch));
      EXPECT_EQ(ReadWhole(*reader, file).value(), Noise(90000, i));
    }
  }
  EXPECT_EQ(store.open, 3u);
  EXPECT_LE(store.once_open, 4u);  // one more while another is closed for it
  EXPECT_EQ(store.small_reads, 0u);
}

// The header is compared with the index by whoever reads the object's begin.
TEST(DistantStore, ADamagedHeaderIsNamed) {
  const TestFolder folder;
  folder.Write("f", Noise(200'000, 1));
  DistantStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path()).value();
  Bytes object = store.Peek(info.objects[0].name);
  object[20] ^= 1;
  store.Replace(info.objects[0].name, object);
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys()).value();
  const Index::Id file = reader->index().Find("f").value();
  const auto read = ReadWhole(*reader, file);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, "dataset.corrupt");
  EXPECT_NE(read.error().found.find("header"), std::string::npos);
  EXPECT_EQ(reader->VerifyObject(0).error().code, "dataset.corrupt");
}

TEST(ReadChunkAt, GivesFourChunksOfADistantStoresOpenObject) {
  constexpr uint64_t kChunk = 65536;
  const TestFolder folder;
  const Bytes content = Noise(9 * kChunk + 5000, 9);
  folder.Write("big", content);
  folder.Write("small", Noise(3000, 8));
  DistantStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path()).value();
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys()).value();
  const Index::Id file = reader->index().Find("big").value();
  ReadScratch scratch;
  EXPECT_EQ(reader->ReadChunkAt(file, 5 * kChunk, scratch)->bytes.size(), kChunk);  // the first one
  for (uint64_t offset = 0; offset < content.size(); offset += 7777) {
    const Stretch stretch = reader->ReadChunkAt(file, offset, scratch).value();
    ASSERT_TRUE(stretch.Holds(offset, 1)) << offset;
    EXPECT_EQ(stretch.offset % (4 * kChunk), 0u);
    ASSERT_TRUE(
        Equal(stretch.bytes, ByteView(content).subspan(stretch.offset, stretch.bytes.size())));
  }
  EXPECT_EQ(reader->ReadChunkAt(file, 5 * kChunk, scratch)->bytes.size(), 4 * kChunk);
  EXPECT_EQ(ReadWhole(*reader, file).value(), content);
}

TEST(ReadMembers, GivesWhatLiesWholeInTheChunk) {
  const TestFolder folder;
  for (int i = 10; i < 40; ++i) folder.Write(std::to_string(i), Noise(5000, i));
  folder.Write("empty", {});
  folder.Write("large", Noise(200000, 1));
  MemoryStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path()).value();
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys()).value();
  ReadScratch scratch;
  size_t split = 0;
  for (int i = 10; i < 40; ++i) {
    const Index::Id id = reader->index().Find(std::to_string(i)).value();
    const auto members = reader->ReadMembers(id, scratch).value();
    if (members.empty()) {
      ++split;
      continue;
    }
    EXPECT_EQ(members.front().file, id);
    for (const Member& member : members) {
      EXPECT_TRUE(Equal(member.bytes, ReadWhole(*reader, member.file).value()));
    }
  }
  EXPECT_EQ(split, 2u);  // 30 files of 5000 bytes: two chunks end within one
  EXPECT_TRUE(reader->ReadMembers(*reader->index().Find("large"), scratch)->empty());
  EXPECT_TRUE(reader->ReadMembers(*reader->index().Find("empty"), scratch)->empty());
}

TEST(Prefetch, HoldsTheDeclaredFilesAndOpensNothingMore) {
  const TestFolder folder;
  folder.Write("a/1", Noise(90000, 1));
  folder.Write("a/2", Noise(90000, 2));
  folder.Write("b/3", Noise(90000, 3));
  folder.Write("c.csv", Noise(90000, 4));
  MemoryStore store;
  const SnapshotInfo info = UploadFolder(store, folder.path(), kSmall).value();
  ASSERT_EQ(info.objects.size(), 4u);
  const auto reader = SnapshotReader::Open(store, kTestDataset, info.snapshot, TestKeys()).value();
  EXPECT_EQ(reader->ObjectsFor({"a"}).value(), (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(reader->ObjectsFor({"b/3", "a/1"}).value(), (std::vector<uint32_t>{0, 2}));
  EXPECT_EQ(reader->ObjectsFor({"*.csv"}).value(), (std::vector<uint32_t>{3}));
  EXPECT_EQ(reader->ObjectsFor({"*/[12]"}).value(), (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(reader->ObjectsFor({"*"}).value(), (std::vector<uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(reader->ObjectsFor({"a", "nothing*"}).error().code, "dataset.no_match");
  const std::vector<uint32_t> declared = {0, 1};
  EXPECT_EQ(reader->Prefetch(declared, 1000).error().code, "dataset.too_large");
  ASSERT_TRUE(reader->Prefetch(declared, reader->SealedBytes(declared)));
  for (const StoredObject& object : info.objects) ASSERT_TRUE(store.Remove(object.name));
  EXPECT_EQ(ReadWhole(*reader, *reader->index().Find("a/1")).value(), Noise(90000, 1));
  EXPECT_EQ(ReadWhole(*reader, *reader->index().Find("a/2")).value(), Noise(90000, 2));
  EXPECT_EQ(ReadWhole(*reader, *reader->index().Find("b/3")).error().code,
            "dataset.not_prefetched");
}

TEST(Padding, StaysBelowOnePercentOfLargeObjects) {
  EXPECT_EQ(PaddedSize(0), 65536u);
  EXPECT_EQ(PaddedSize(1), 65536u);
  EXPECT_EQ(PaddedSize(65537), 2 * 65536u);
  EXPECT_EQ(PaddedSize(kMaxObjectPlain), kMaxObjectPlain);
  for (uint64_t size = uint64_t{16} << 20; size < kMaxObjectPlain; size += 999983) {
    EXPECT_GE(PaddedSize(size), size);
    EXPECT_LE(PaddedSize(size), size + size / 128);
  }
}

}  // namespace
}  // namespace cce::dataset
