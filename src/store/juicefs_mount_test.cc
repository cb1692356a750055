// A directory store on a real JuiceFS volume (SQLite for metadata, a folder for objects), and what
// is seen of it when its client stops or dies.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "base/subprocess.h"
#include "store/directory_store.h"
#include "store/juicefs.h"

namespace cce::store {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string CodeOf(const auto& result) { return result ? "ok" : result.error().code; }

class JuicefsMountTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs::exists(JUICEFS_PROGRAM)) << "deploy/install --store installs it";
    std::string path = testing::TempDir() + "volume-XXXXXX";
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    root_ = path;
    mount_ = {.program = JUICEFS_PROGRAM,
              .metadata = "sqlite3://" + root_ + "/metadata.db",
              .mountpoint = root_ + "/mount"};
    for (const char* name : {"/mount", "/objects", "/home"}) fs::create_directory(root_ + name);
    const auto formatted =
        RunProgramOk({JUICEFS_PROGRAM, "--no-agent", "format", "--trash-days", "1", "--storage",
                      "file", "--bucket", root_ + "/objects/", mount_.metadata, "ds-test"},
                     {.environment = JuicefsEnvironment({}, root_ + "/home", false)});
    ASSERT_TRUE(formatted) << formatted.error().detail;
    Start();
  }
  void TearDown() override {
    store_.reset();
    if (client_) client_->Signal(SIGKILL);
    client_.reset();
    while (::umount2(mount_.mountpoint.c_str(), MNT_DETACH) == 0) {
    }
    fs::remove_all(root_);
  }

  bool Mounted() const {
    struct stat info{};
    return ::stat(mount_.mountpoint.c_str(), &info) == 0 && info.st_ino == 1;
  }
  void Start() {
    auto client =
        Subprocess::Start(JuicefsMountCommand(mount_),
                          {.environment = JuicefsEnvironment({}, root_ + "/home", /*alone=*/true)});
    ASSERT_TRUE(client);
    client_.emplace(std::move(*client));
    for (int i = 0; i < 400 && !Mounted(); ++i) {
      ASSERT_FALSE(client_->Wait(milliseconds(50))) << "the client ended";
    }
    ASSERT_TRUE(Mounted());
    store_ = DirectoryStore::Open(mount_.mountpoint,
                                  {.guard = std::make_shared<CallGuard>(milliseconds(3'000))})
                 .value();
  }
  void Kill() {
    client_->Signal(SIGKILL);
    client_->Wait(milliseconds(-1));
    client_.reset();
  }
  void Unmount() { ASSERT_EQ(::umount2(mount_.mountpoint.c_str(), MNT_DETACH), 0); }

  std::string Read(const dataset::ObjectName& name) {
    const auto reader = store_->Open(name);
    if (!reader) return reader.error().code;
    Bytes out((*reader)->size());
    const auto read = (*reader)->ReadAt(0, out);
    return read ? std::string(AsText(out)) : read.error().code;
  }

  std::string root_;
  JuicefsMount mount_;
  std::optional<Subprocess> client_;
  std::unique_ptr<DirectoryStore> store_;
};

TEST_F(JuicefsMountTest, KeepsObjectsOverAKillOfItsClient) {
  const Bytes large(size_t{5} << 20, 7);
  const auto small = dataset::PutObject(*store_, AsBytes("ciphertext"));
  const auto stored = dataset::PutObject(*store_, large);
  ASSERT_TRUE(small && stored);
  const auto open = store_->Open(stored->name).value();
  const auto half = store_->NewObject(0).value();
  ASSERT_TRUE(half->Write(large));
  Kill();
  // The old mount is dead, and says so at once.
  Bytes out(16);
  EXPECT_EQ(CodeOf(open->ReadAt(0, out)), "store.failed");
  EXPECT_EQ(CodeOf(half->Commit()), "store.failed");
  EXPECT_EQ(CodeOf(store_->NewObject(0)), "store.failed");
  EXPECT_EQ(CodeOf(store_->Open(small->name)), "store.failed");
  Unmount();
  Start();
  EXPECT_EQ(Read(small->name), "ciphertext");
  EXPECT_EQ(Read(stored->name), AsText(large));
  size_t objects = 0;
  ASSERT_TRUE(store_->List([&](const dataset::StoredObject&) -> Result<> {
    ++objects;
    return {};
  }));
  EXPECT_EQ(objects, 2u);
  EXPECT_TRUE(store_->RemoveLeftovers());
}

// Read past the page cache, at any offset and size.
TEST_F(JuicefsMountTest, IsDistantToAReaderWithoutADeadline) {
  Bytes content(size_t{9} << 20);
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<uint8_t>(i * 31 + i / 4099);
  const auto stored = dataset::PutObject(*store_, content).value();
  EXPECT_FALSE(store_->Open(stored.name).value()->distant());
  const auto plain = DirectoryStore::Open(mount_.mountpoint).value();
  const auto reader = plain->Open(stored.name).value();
  EXPECT_TRUE(reader->distant());
  for (uint64_t offset = 44; offset < content.size(); offset = offset * 2 + 1) {
    for (const size_t size : {size_t{1}, size_t{65552}, size_t{1048832}, size_t{5000001}}) {
      Bytes out(std::min<uint64_t>(size, content.size() - offset));
      ASSERT_TRUE(reader->ReadAt(offset, out));
      ASSERT_TRUE(Equal(out, ByteView(content).subspan(offset, out.size()))) << offset;
    }
  }
  Bytes past(2);
  EXPECT_EQ(CodeOf(reader->ReadAt(content.size() - 1, past)), "dataset.corrupt");
}

TEST_F(JuicefsMountTest, AClientThatHangsIsATimeoutAndThenGoesOn) {
  const auto stored = dataset::PutObject(*store_, AsBytes("ciphertext")).value();
  const auto writer = store_->NewObject(0).value();
  ::kill(client_->pid(), SIGSTOP);
  EXPECT_EQ(CodeOf(store_->Open(dataset::ObjectName{1})), "store.timeout");
  EXPECT_EQ(CodeOf(writer->Write(Bytes(size_t{2} << 20))), "store.timeout");
  ::kill(client_->pid(), SIGCONT);
  EXPECT_EQ(Read(stored.name), "ciphertext");
  EXPECT_TRUE(dataset::PutObject(*store_, AsBytes("more")));
}

}  // namespace
}  // namespace cce::store
