#include "store/directory_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace cce::store {
namespace {

namespace fs = std::filesystem;

// Each rule holds with and without a guard.
class DirectoryStoreTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "store-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    root_ = path;
    if (GetParam()) guard_ = std::make_shared<CallGuard>(std::chrono::milliseconds(20'000), 1);
    store_ = DirectoryStore::Open(root_, {.guard = guard_}).value();
  }
  void TearDown() override { fs::remove_all(root_); }

  fs::path PathOf(const dataset::ObjectName& name) const {
    const std::string hex = ToHex(name);
    return fs::path(root_) / hex.substr(0, 2) / hex;
  }
  size_t FilesInRoot() const {
    size_t n = 0;
    for (const auto& entry : fs::directory_iterator(root_)) n += entry.is_regular_file();
    return n;
  }

  std::string root_;
  // Until what was posted before has been done: the guard has one thread.
  void Settle() {
    if (guard_) ASSERT_TRUE(guard_->Run([]() -> Result<> { return {}; }));
  }

  std::shared_ptr<CallGuard> guard_;
  std::unique_ptr<DirectoryStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Guard, DirectoryStoreTest, testing::Bool());

TEST_P(DirectoryStoreTest, KeepsAnObjectUnderItsDigest) {
  const auto stored = dataset::PutObject(*store_, AsBytes("ciphertext"));
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->name, dataset::TreeDigest(AsBytes("ciphertext")));
  EXPECT_EQ(stored->size, 10u);
  struct stat info{};
  ASSERT_EQ(::stat(PathOf(stored->name).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0444u & ~022u);
  const auto reader = store_->Open(stored->name);
  ASSERT_TRUE(reader);
  Bytes part(4);
  ASSERT_TRUE((*reader)->ReadAt(6, part));
  EXPECT_EQ(AsText(part), "text");
}

TEST_P(DirectoryStoreTest, KeepsObjectsOfEverySizeHoweverTheyAreWritten) {
  constexpr size_t kMebibyte = size_t{1} << 20;
  const Bytes content = crypto::RandomBytes(3 * kMebibyte + 5);
  for (const size_t size : {kMebibyte - 1, kMebibyte, kMebibyte + 1, 2 * kMebibyte,
                            2 * kMebibyte + 4096, 3 * kMebibyte + 5}) {
    for (const size_t slice : {size_t{65552}, size_t{1} << 20, size}) {
      const auto writer = store_->NewObject(size).value();
      for (size_t at = 0; at < size; at += slice) {
        ASSERT_TRUE(writer->Write(ByteView(content).subspan(at, std::min(slice, size - at))));
      }
      const auto stored = writer->Commit().value();
      const auto reader = store_->Open(stored.name).value();
      ASSERT_EQ(reader->size(), size);
      Bytes read(size);
      ASSERT_TRUE(reader->ReadAt(0, read));
      EXPECT_EQ(dataset::TreeDigest(read), stored.name) << size << " in slices of " << slice;
      ASSERT_TRUE(store_->Remove(stored.name));
    }
  }
}

TEST_P(DirectoryStoreTest, PuttingTwiceKeepsOneObjectAndNothingElse) {
  const auto first = dataset::PutObject(*store_, AsBytes("same")).value();
  const auto second = dataset::PutObject(*store_, AsBytes("same")).value();
  EXPECT_EQ(first.name, second.name);
  Settle();
  EXPECT_EQ(FilesInRoot(), 0u);
}

TEST_P(DirectoryStoreTest, ADroppedWriterLeavesNothing) {
  {
    const auto writer = store_->NewObject(0).value();
    ASSERT_TRUE(writer->Write(AsBytes("half")));
    EXPECT_EQ(FilesInRoot(), 1u);
  }
  Settle();
  EXPECT_EQ(FilesInRoot(), 0u);
}

TEST_P(DirectoryStoreTest, NamesWhatIsMissing) {
  const auto missing = store_->Open(dataset::ObjectName{});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, "dataset.missing_object");
  EXPECT_NE(missing.error().message.find(ToHex(dataset::ObjectName{})), std::string::npos);
}

TEST_P(DirectoryStoreTest, DoesNotFollowALinkInAnObjectsPlace) {
  const auto stored = dataset::PutObject(*store_, AsBytes("object")).value();
  const fs::path elsewhere = fs::path(root_) / "elsewhere";
  fs::rename(PathOf(stored.name), elsewhere);
  fs::create_symlink(elsewhere, PathOf(stored.name));
  const auto opened = store_->Open(stored.name);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "dataset.corrupt");
}

TEST_P(DirectoryStoreTest, AFolderOrPipeInAnObjectsPlaceIsRefused) {
  const auto stored = dataset::PutObject(*store_, AsBytes("object")).value();
  fs::remove(PathOf(stored.name));
  ASSERT_EQ(::mkfifo(PathOf(stored.name).c_str(), 0600), 0);
  EXPECT_EQ(store_->Open(stored.name).error().code, "dataset.corrupt");
}

TEST_P(DirectoryStoreTest, ReadingPastTheEndIsCorrupt) {
  const auto stored = dataset::PutObject(*store_, AsBytes("object")).value();
  const auto reader = store_->Open(stored.name).value();
  fs::permissions(PathOf(stored.name), fs::perms::owner_write, fs::perm_options::add);
  fs::resize_file(PathOf(stored.name), 3);
  Bytes out(6);
  EXPECT_EQ(reader->ReadAt(0, out).error().code, "dataset.corrupt");
}

TEST_P(DirectoryStoreTest, RefusesBeforeWritingWhereTheDiskIsTooFull) {
  const auto writer = store_->NewObject(uint64_t{1} << 60);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, "io.disk_full");
  EXPECT_TRUE(store_->CheckRoom(1));
  const auto room = store_->CheckRoom(uint64_t{1} << 60);
  ASSERT_FALSE(room);
  EXPECT_EQ(room.error().code, "io.disk_full");
  EXPECT_FALSE(room.error().expected.empty() || room.error().found.empty());
  EXPECT_EQ(FilesInRoot(), 0u);
}

TEST_P(DirectoryStoreTest, ListsObjectsAndNothingElse) {
  const auto stored = dataset::PutObject(*store_, AsBytes("object")).value();
  std::ofstream(fs::path(root_) / "stray") << "x";
  std::ofstream(PathOf(stored.name).parent_path() / "stray") << "x";
  std::vector<dataset::StoredObject> found;
  ASSERT_TRUE(store_->List([&](const dataset::StoredObject& object) -> Result<> {
    found.push_back(object);
    return {};
  }));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, stored.name);
  EXPECT_EQ(found[0].size, 6u);
}

TEST_P(DirectoryStoreTest, RemovesObjectsAndLeftovers) {
  const auto stored = dataset::PutObject(*store_, AsBytes("object")).value();
  EXPECT_TRUE(store_->Remove(stored.name));
  EXPECT_TRUE(store_->Remove(stored.name));
  EXPECT_FALSE(store_->Open(stored.name));
  std::ofstream(fs::path(root_) / ".new-0123") << "x";
  EXPECT_TRUE(store_->RemoveLeftovers());
  EXPECT_EQ(FilesInRoot(), 0u);
}

TEST(DirectoryStore, DoesNotMakeAFolderUnasked) {
  const auto store = DirectoryStore::Open(testing::TempDir() + "not-there");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, "io.not_found");
}

}  // namespace
}  // namespace cce::store
