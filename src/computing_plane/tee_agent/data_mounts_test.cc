// Fetching from a hostile store, and the mounts: the latter need the right to mount.
#include "computing_plane/tee_agent/data_mounts.h"

#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "computing_plane/tee_agent/test_world.h"
#include "dataset/dataset_fixture.h"
#include "dataset/memory_store.h"
#include "store/directory_store.h"

namespace cce::tee_agent {
namespace {

namespace fs = std::filesystem;
using dataset::Noise;
using dataset::TestFolder;

class StoreSource : public ObjectSource {
 public:
  explicit StoreSource(dataset::CiphertextStore& store) : store_(store) {}
  Result<> Fetch(const dataset::DatasetId&, const dataset::ObjectName& name,
                 const Sink& sink) override {
    names.push_back(name);
    if (failures-- > 0) return Fail("net.closed", "a fault");
    ASSIGN_OR_RETURN(Bytes bytes, dataset::ReadObject(store_, name, 1 << 30));
    if (name == flip) bytes.back() ^= 1;
    if (name == stretch) bytes.push_back(0);
    return sink(bytes);
  }
  int failures = 0;
  dataset::ObjectName flip{};
  dataset::ObjectName stretch{};
  std::vector<dataset::ObjectName> names;

 private:
  dataset::CiphertextStore& store_;
};

TEST(FetchObject, KeepsOnlyWhatHasTheName) {
  dataset::MemoryStore remote;
  const auto object = Must(dataset::PutObject(remote, Noise(100'000, 1)));
  StoreSource source(remote);
  dataset::MemoryStore local;
  const auto fetch = [&] {
    return CodeOf(FetchObject(source, dataset::kTestDataset, object.name, 100'000, local));
  };
  source.flip = object.name;
  EXPECT_EQ(fetch(), "dataset.corrupt");
  source.flip = {};
  source.stretch = object.name;
  EXPECT_EQ(fetch(), "dataset.corrupt");
  EXPECT_FALSE(local.Open(object.name));
  size_t left = 0;
  EXPECT_TRUE(local.List([&](const auto&) -> Result<> {
    ++left;
    return {};
  }));
  EXPECT_EQ(left, 0u);
  source.stretch = {};
  EXPECT_EQ(fetch(), "ok");
  EXPECT_TRUE(local.Open(object.name));
}

class DataMountsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || ::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "needs root and /dev/fuse";
    }
    source_folder_.Write("a/one", one_);
    source_folder_.Write("two", Noise(300'000, 2));
    store_ = Must(store::DirectoryStore::Open(store_folder_.path()));
    snapshot_ =
        Must(dataset::UploadFolder(*store_, source_folder_.path(),
                                   {.pack_target = 200'000, .piece_size = dataset::kDigestSpan}));
    source_ = std::make_unique<StoreSource>(*store_);
  }

  Result<> Add(std::vector<std::string> files, std::string mode = "prefetch",
               uint64_t room = 64 << 20) {
    mounts_ = std::make_unique<DataMounts>(
        DataMountOptions{.folder = work_.path(),
                         .decrypt_fs = DECRYPT_FS_PROGRAM,
                         .owner = 70'000,
                         .room = room,
                         .retry = {.attempts = 3, .first_pause = std::chrono::milliseconds(1)}});
    protocol::ReleasedDataset released;
    released.dataset = dataset::kTestDataset;
    released.snapshot = snapshot_.snapshot;
    released.access_mode = std::move(mode);
    released.keys.push_back({dataset::kTestEpoch, dataset::TestDek()});
    return mounts_->Add({dataset::kTestDataset, snapshot_.snapshot, std::move(files)},
                        std::move(released), *source_);
  }
  std::string At(std::string_view path) const {
    return mounts_->mounts().at(0).source + "/" + std::string(path);
  }

  const Bytes one_ = Noise(5'000, 1);
  TestFolder source_folder_;
  TestFolder store_folder_;
  TestFolder work_;
  std::unique_ptr<store::DirectoryStore> store_;
  dataset::SnapshotInfo snapshot_;
  std::unique_ptr<StoreSource> source_;
  std::unique_ptr<DataMounts> mounts_;
};

TEST_F(DataMountsTest, ShowsTheWholeSnapshot) {
  const auto added = Add({});
  ASSERT_TRUE(added) << FormatError(added.error());
  EXPECT_EQ(mounts_->mounts().at(0).name, "0x" + ToHex(dataset::kTestDataset));
  EXPECT_EQ(Must(ReadFile(At("a/one"), 1 << 20)), one_);
  EXPECT_EQ(Must(ReadFile(At("two"), 1 << 20)).size(), 300'000u);
  struct stat info{};
  ASSERT_EQ(::stat(At("two").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 70'000u);
  EXPECT_EQ(source_->names.at(0), snapshot_.snapshot);
  const std::string two = At("two");
  mounts_.reset();
  EXPECT_FALSE(fs::exists(two));
}

TEST_F(DataMountsTest, ShowsOnlyDeclaredFiles) {
  const auto added = Add({"a/one"});
  ASSERT_TRUE(added) << FormatError(added.error());
  EXPECT_EQ(Must(ReadFile(At("a/one"), 1 << 20)), one_);
  EXPECT_EQ(ReadFile(At("two"), 1 << 20).error().code, "io.failed");
  EXPECT_EQ(source_->names.size(), 2u);  // the index, and the one object
}

TEST_F(DataMountsTest, SurvivesABrokenConnection) {
  source_->failures = 2;
  EXPECT_TRUE(Add({}));
}

TEST_F(DataMountsTest, RefusesDamagedObjects) {
  source_->flip = snapshot_.snapshot;
  EXPECT_EQ(CodeOf(Add({})), "dataset.corrupt");
  source_->flip = {};
  ASSERT_TRUE(Add({}));
  source_->flip = source_->names.back();
  EXPECT_EQ(CodeOf(Add({})), "dataset.corrupt");
  EXPECT_TRUE(mounts_->mounts().empty());
}

TEST_F(DataMountsTest, TellsWhenAProcessHasEnded) {
  ASSERT_TRUE(Add({}));
  ASSERT_EQ(mounts_->EndFds().size(), 1u);
  EXPECT_EQ(CodeOf(mounts_->CheckAlive()), "ok");
  // As from outside: its mount goes, and so it ends.
  const std::string one = At("a/one");
  ASSERT_EQ(::umount2(mounts_->mounts().at(0).source.c_str(), MNT_DETACH), 0);
  pollfd ended{mounts_->EndFds().at(0), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 10'000), 1);
  EXPECT_EQ(CodeOf(mounts_->CheckAlive()), "mount.crashed");
  EXPECT_FALSE(fs::exists(one));
}

// Whatever the reader makes of it: what it met is told, once it is read and at the end.
TEST_F(DataMountsTest, TellsWhatAReadMet) {
  ASSERT_TRUE(Add({}));
  const std::string folder = work_.path() + "/store-" + mounts_->mounts().at(0).name;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.path().filename() == ToHex(snapshot_.snapshot)) {
      continue;
    }
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1000);
    file.put('!').put('!');
  }
  const std::vector<int> ends = mounts_->EndFds();
  EXPECT_EQ(ReadFile(At("a/one"), 1 << 20).error().code, "io.failed");
  pollfd ended{ends.at(0), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 10'000), 1);
  EXPECT_EQ(CodeOf(mounts_->CheckAlive()), "dataset.corrupt");
  EXPECT_EQ(CodeOf(mounts_->EndWell()), "dataset.corrupt");
}

TEST_F(DataMountsTest, AnUndeclaredFileIsTheReadersOwnAffair) {
  ASSERT_TRUE(Add({"a/one"}));
  EXPECT_FALSE(ReadFile(At("two"), 1 << 20));
  EXPECT_EQ(Must(ReadFile(At("a/one"), 1 << 20)), one_);
  EXPECT_EQ(CodeOf(mounts_->EndWell()), "ok");
}

TEST_F(DataMountsTest, RefusesWhatItCannotDo) {
  EXPECT_EQ(CodeOf(Add({}, "demand")), "policy.access_mode");
  EXPECT_EQ(CodeOf(Add({"no-such-file"})), "dataset.no_match");
  EXPECT_EQ(CodeOf(Add({}, "prefetch", 300'000)), "dataset.too_large");
  EXPECT_TRUE(mounts_->mounts().empty());
}

}  // namespace
}  // namespace cce::tee_agent
