// Starts decrypt-fs as its parent does and looks through the mount. Needs the right to mount.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <utime.h>

#include <cstring>
#include <thread>

#include "base/file.h"
#include "computing_plane/decrypt_fs/start_message.h"
#include "dataset/dataset_fixture.h"
#include "store/directory_store.h"

extern char** environ;

namespace cce::decrypt_fs {
namespace {

namespace fs = std::filesystem;
using dataset::Noise;
using dataset::TestFolder;

constexpr uint64_t kPage = 4096;
constexpr dataset::PlanOptions kOptions{.pack_target = 200000, .piece_size = dataset::kDigestSpan};

class MountTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || ::access("/dev/fuse", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "needs root and /dev/fuse";
    }
    for (int i = 0; i < 300; ++i) {
      source_.Write("many/file" + std::to_string(i), Noise(100 + i * 37, i));
    }
    source_.Write("big", big_);
    source_.Write("odd \n\xff name", Bytes{1, 2, 3});
    source_.Write("empty", {});
    fs::create_directories(source_.At("hollow/hollower"));
    fs::create_symlink("../big", source_.At("many/link"));
    fs::permissions(source_.At("big"), fs::perms(0640));
    store_ = store::DirectoryStore::Open(store_folder_.path()).value();
    snapshot_ = dataset::UploadFolder(*store_, source_.path(), kOptions).value();
  }
  void TearDown() override {
    End();
    ::umount2(mountpoint().c_str(), MNT_DETACH);
  }

  const std::string& mountpoint() const { return mount_folder_.path(); }
  std::string At(std::string_view name) const { return mountpoint() + "/" + std::string(name); }

  StartMessage Message() const {
    StartMessage message;
    message.dataset = dataset::kTestDataset;
    message.snapshot = snapshot_.snapshot;
    message.store_dir = store_folder_.path();
    message.mountpoint = mountpoint();
    message.keys = dataset::TestKeys();
    return message;
  }

  // Starts the program and returns its first event.
  StatusEvent Start(const StartMessage& message) {
    int start[2];
    int status[2];
    EXPECT_EQ(::pipe2(start, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(status, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    // By way of high numbers, lest one dup2 overwrites the other's source.
    ::posix_spawn_file_actions_adddup2(&actions, start[0], 103);
    ::posix_spawn_file_actions_adddup2(&actions, status[1], 104);
    ::posix_spawn_file_actions_adddup2(&actions, 103, kStartFd);
    ::posix_spawn_file_actions_adddup2(&actions, 104, kStatusFd);
    ::posix_spawn_file_actions_addclose(&actions, 103);
    ::posix_spawn_file_actions_addclose(&actions, 104);
    std::string program = DECRYPT_FS_PROGRAM;
    char* argv[] = {program.data(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(start[0]);
    ::close(status[1]);
    start_ = UniqueFd(start[1]);
    status_ = UniqueFd(status[0]);
    EXPECT_TRUE(WriteAll(start_.get(), EncodeStartMessage(message).Expose()));
    return NextEvent();
  }
  StatusEvent NextEvent() {
    std::string line;
    char c = 0;
    pollfd poll_fd{.fd = status_.get(), .events = POLLIN};
    while (c != '\n') {
      if (::poll(&poll_fd, 1, 20'000) != 1 || ::read(status_.get(), &c, 1) != 1) {
        return {.event = "none"};
      }
      line += c;
    }
    return ParseStatus(line).value();
  }
  void MustStart() {
    const StatusEvent event = Start(Message());
    ASSERT_EQ(event.event, "ready") << event.code << " " << event.message;
  }
  // Closes the parent's end and waits; the exit status, or -1.
  int End() {
    start_.Reset();
    return Wait();
  }
  int Wait() {
    if (pid_ <= 0) return -1;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static Bytes FileBytes(const std::string& path) { return ReadFile(path, 1 << 30).value(); }

  const Bytes big_ = Noise(2 * dataset::kDigestSpan + 70001, 77);
  TestFolder source_;
  TestFolder store_folder_;
  TestFolder mount_folder_;
  std::unique_ptr<store::DirectoryStore> store_;
  dataset::SnapshotInfo snapshot_;
  pid_t pid_ = -1;
  UniqueFd start_;
  UniqueFd status_;
};

TEST_F(MountTest, ShowsTheTreeByteForByte) {
  MustStart();
  size_t entries = 0;
  for (const auto& entry : fs::recursive_directory_iterator(source_.path())) {
    ++entries;
    const std::string shown = mountpoint() + entry.path().native().substr(source_.path().size());
    struct stat is{};
    struct stat was{};
    ASSERT_EQ(::lstat(entry.path().c_str(), &was), 0);
    ASSERT_EQ(::lstat(shown.c_str(), &is), 0) << shown;
    EXPECT_EQ(is.st_mode, was.st_mode);
    EXPECT_EQ(is.st_mtim.tv_sec, was.st_mtim.tv_sec);
    EXPECT_EQ(is.st_mtim.tv_nsec, was.st_mtim.tv_nsec);
    if (S_ISREG(was.st_mode)) {
      EXPECT_EQ(is.st_size, was.st_size);
      EXPECT_TRUE(FileBytes(shown) == FileBytes(entry.path())) << shown;
    }
    if (S_ISLNK(was.st_mode)) {
      EXPECT_EQ(fs::read_symlink(shown), fs::read_symlink(entry.path()));
    }
  }
  // Twice: the second time out of the kernel's cache.
  for (int i = 0; i < 2; ++i) {
    size_t shown = 0;
    for ([[maybe_unused]] const auto& entry : fs::recursive_directory_iterator(mountpoint()))
      ++shown;
    EXPECT_EQ(shown, entries);
  }
  EXPECT_FALSE(fs::exists(At("not-there")));
  struct statvfs space{};
  ASSERT_EQ(::statvfs(mountpoint().c_str(), &space), 0);
  EXPECT_EQ(space.f_blocks, (snapshot_.counts.bytes + 4095) / 4096);
  EXPECT_NE(space.f_flag & ST_RDONLY, 0u);
}

TEST_F(MountTest, ReadsAtRandomAndByMmap) {
  MustStart();
  const UniqueFd fd(::open(At("big").c_str(), O_RDONLY));
  ASSERT_TRUE(fd.valid());
  std::mt19937_64 random(1);
  for (int i = 0; i < 200; ++i) {
    const uint64_t offset = random() % big_.size();
    Bytes out(random() % 100'000);
    const ssize_t n = ::pread(fd.get(), out.data(), out.size(), static_cast<off_t>(offset));
    ASSERT_EQ(static_cast<size_t>(n), std::min<size_t>(out.size(), big_.size() - offset));
    ASSERT_EQ(std::memcmp(out.data(), big_.data() + offset, static_cast<size_t>(n)), 0);
  }
  void* map = ::mmap(nullptr, big_.size(), PROT_READ, MAP_PRIVATE, fd.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  EXPECT_EQ(std::memcmp(map, big_.data(), big_.size()), 0);
  ::munmap(map, big_.size());
}

// Whether the page at `offset` of the file lies in the kernel's cache.
bool InCache(int fd, uint64_t offset) {
  uint8_t resident = 0;
  void* map = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(offset));
  const bool known = map != MAP_FAILED && ::mincore(map, kPage, &resident) == 0;
  if (map != MAP_FAILED) ::munmap(map, kPage);
  return known && (resident & 1) != 0;
}

TEST_F(MountTest, AReadOfOnePageBringsItsWholeChunk) {
  MustStart();
  const UniqueFd fd(::open(At("big").c_str(), O_RDONLY));
  ASSERT_EQ(::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM), 0);
  Bytes page(kPage);
  ASSERT_EQ(::pread(fd.get(), page.data(), kPage, 5 * kPage), static_cast<ssize_t>(kPage));
  // It comes right after the answer.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!InCache(fd.get(), 15 * kPage) && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  for (uint64_t i = 0; i < 16; ++i) EXPECT_TRUE(InCache(fd.get(), i * kPage)) << i;
  EXPECT_FALSE(InCache(fd.get(), 16 * kPage));
  const Bytes whole = FileBytes(At("big"));
  EXPECT_TRUE(whole == big_);
}

// How many of the process's threads have the policy.
size_t ThreadsOf(pid_t process, int policy) {
  size_t count = 0;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    if (::sched_getscheduler(std::stoi(task.path().filename())) == policy) ++count;
  }
  return count;
}

TEST_F(MountTest, WhoReadsAheadTakesNoProcessorFromTheReader) {
  MustStart();
  EXPECT_EQ(ThreadsOf(pid_, SCHED_BATCH), 0u);
  EXPECT_TRUE(FileBytes(At("big")) == big_);
  EXPECT_GT(ThreadsOf(pid_, SCHED_BATCH), 0u);
}

TEST_F(MountTest, WhoIsWaitedForTakesTheProcessor) {
  MustStart();
  const UniqueFd fd(::open(At("big").c_str(), O_RDONLY));
  ASSERT_EQ(::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM), 0);
  Bytes page(kPage);
  for (uint64_t offset = 0; offset + kPage < big_.size(); offset += 40 * kPage) {
    ASSERT_EQ(::pread(fd.get(), page.data(), kPage, static_cast<off_t>(offset)),
              static_cast<ssize_t>(kPage));
  }
  EXPECT_EQ(ThreadsOf(pid_, SCHED_BATCH), 0u);
}

// Pages that one request's answer brings are asked for by others meanwhile: two threads serve, so
// one that waited for the other's page would stop everything.
TEST_F(MountTest, ManySmallReadersOfTheSameChunks) {
  StartMessage message = Message();
  message.threads = 2;
  ASSERT_EQ(Start(message).event, "ready");
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> readers;
    for (int t = 0; t < 16; ++t) {
      readers.emplace_back([&, t] {
        const UniqueFd fd(::open(At("big").c_str(), O_RDONLY));
        std::mt19937_64 random(t);
        Bytes out(kPage);
        for (int i = 0; i < 3000; ++i) {
          const uint64_t offset = random() % 48 * kPage;
          const ssize_t n = ::pread(fd.get(), out.data(), kPage, static_cast<off_t>(offset));
          if (n != static_cast<ssize_t>(kPage) ||
              !Equal(out, ByteView(big_).subspan(offset, kPage))) {
            ++wrong;
          }
          if (i % 50 == t) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

// Packed files begin anywhere in a chunk.
TEST_F(MountTest, SmallReadsOfPackedFiles) {
  MustStart();
  for (int i = 100; i < 300; i += 17) {
    const std::string name = "many/file" + std::to_string(i);
    const Bytes expected = FileBytes(source_.At(name));
    const UniqueFd fd(::open(At(name).c_str(), O_RDONLY));
    ASSERT_EQ(::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM), 0);
    std::mt19937_64 random(i);
    for (int k = 0; k < 20; ++k) {
      const uint64_t offset = random() % expected.size();
      Bytes out(1 + random() % 5000);
      const ssize_t n = ::pread(fd.get(), out.data(), out.size(), static_cast<off_t>(offset));
      ASSERT_EQ(static_cast<size_t>(n), std::min<size_t>(out.size(), expected.size() - offset));
      out.resize(static_cast<size_t>(n));
      ASSERT_TRUE(Equal(out, ByteView(expected).subspan(offset, out.size())));
    }
    EXPECT_TRUE(FileBytes(At(name)) == expected);
  }
}

std::string Numbered(int i) { return "many/file" + std::to_string(i); }

// Of the folder's files in the order in which they are read below.
std::vector<std::string> InOrder(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && !entry.is_symlink()) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST_F(MountTest, AReadOfASmallFileBringsThoseBehindItThatTheKernelKnows) {
  MustStart();
  ASSERT_EQ(InOrder(At("many")).size(), 300u);  // known by the listing
  const UniqueFd neighbour(::open(At(Numbered(1)).c_str(), O_RDONLY));
  EXPECT_FALSE(InCache(neighbour.get(), 0));
  EXPECT_TRUE(FileBytes(At(Numbered(0))) == FileBytes(source_.At(Numbered(0))));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!InCache(neighbour.get(), 0) && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(InCache(neighbour.get(), 0));
  for (int i = 0; i < 300; ++i) {
    EXPECT_TRUE(FileBytes(At(Numbered(i))) == FileBytes(source_.At(Numbered(i)))) << i;
  }
}

// Nothing but the folder's being listed ahead makes the kernel know files that nobody looked up.
TEST_F(MountTest, FilesOpenedInOrderAreKnownAhead) {
  const std::vector<std::string> names = InOrder(source_.At("many"));
  int brought = 0;
  for (int mounted = 0; mounted < 20 && brought == 0; ++mounted) {
    MustStart();
    for (const std::string& name : names) {
      const UniqueFd fd(::open(At("many/" + name).c_str(), O_RDONLY));
      brought += InCache(fd.get(), 0) ? 1 : 0;
      EXPECT_TRUE(FileBytes(At("many/" + name)) == FileBytes(source_.At("many/" + name))) << name;
    }
    EXPECT_EQ(End(), 0);
  }
  EXPECT_GT(brought, 0);
}

// It looks into its own mount: that must not keep a killed process alive, nor the mount busy.
TEST_F(MountTest, KilledWhileFilesAreOpenedInOrder) {
  const std::vector<std::string> names = InOrder(source_.At("many"));
  for (size_t stop = 3; stop < 60; stop += 7) {
    MustStart();
    for (size_t i = 0; i < stop; ++i) (void)ReadFile(At("many/" + names[i]), 1 << 20);
    ASSERT_EQ(::kill(pid_, SIGKILL), 0);
    EXPECT_EQ(Wait(), -1);
    ASSERT_EQ(::umount2(mountpoint().c_str(), MNT_DETACH), 0);
  }
}

TEST_F(MountTest, InodeNumbersAreTheSameAtEachMount) {
  std::map<std::string, ino_t> inodes[2];
  for (auto& seen : inodes) {
    MustStart();
    for (const auto& entry : fs::recursive_directory_iterator(mountpoint())) {
      struct stat info{};
      ASSERT_EQ(::lstat(entry.path().c_str(), &info), 0);
      seen[entry.path()] = info.st_ino;
    }
    EXPECT_EQ(End(), 0);
  }
  EXPECT_EQ(inodes[0], inodes[1]);
}

TEST_F(MountTest, RefusesEveryChange) {
  MustStart();
  const std::string file = At("big");
  const auto refused = [](int outcome) { return outcome == -1 ? errno : 0; };
  EXPECT_EQ(refused(::open(file.c_str(), O_WRONLY)), EROFS);
  EXPECT_EQ(refused(::open(file.c_str(), O_RDWR)), EROFS);
  EXPECT_EQ(refused(::open(At("new").c_str(), O_CREAT | O_WRONLY, 0600)), EROFS);
  EXPECT_EQ(refused(::truncate(file.c_str(), 0)), EROFS);
  EXPECT_EQ(refused(::unlink(file.c_str())), EROFS);
  EXPECT_EQ(refused(::rmdir(At("hollow/hollower").c_str())), EROFS);
  EXPECT_EQ(refused(::mkdir(At("d").c_str(), 0700)), EROFS);
  EXPECT_EQ(refused(::rename(file.c_str(), At("other").c_str())), EROFS);
  EXPECT_EQ(refused(::link(file.c_str(), At("other").c_str())), EROFS);
  EXPECT_EQ(refused(::symlink("big", At("other").c_str())), EROFS);
  EXPECT_EQ(refused(::mkfifo(At("other").c_str(), 0600)), EROFS);
  EXPECT_EQ(refused(::chmod(file.c_str(), 0777)), EROFS);
  EXPECT_EQ(refused(::chown(file.c_str(), 1, 1)), EROFS);
  EXPECT_EQ(refused(::utime(file.c_str(), nullptr)), EROFS);
  EXPECT_EQ(refused(::setxattr(file.c_str(), "user.x", "1", 1, 0)), EROFS);
  EXPECT_EQ(refused(::removexattr(file.c_str(), "user.x")), EROFS);
  EXPECT_EQ(refused(::access(file.c_str(), W_OK)), EROFS);
  EXPECT_TRUE(FileBytes(file) == big_);
}

TEST_F(MountTest, AFlippedByteIsAnErrorAndAnEvent) {
  // The second object holds the file's middle piece, and nothing else.
  const std::string hex = ToHex(snapshot_.objects[1].name);
  const std::string path = store_folder_.At(hex.substr(0, 2) + "/" + hex);
  fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
  {
    std::fstream object(path, std::ios::in | std::ios::out | std::ios::binary);
    object.seekp(200'000);
    object.put('\x42').put('\x42').put('\x43');
  }
  MustStart();
  const UniqueFd fd(::open(At("big").c_str(), O_RDONLY));
  ASSERT_TRUE(fd.valid());
  Bytes out(big_.size());
  // A reader sees right bytes up to the damage, then the error.
  size_t done = 0;
  ssize_t n = 0;
  while (done < out.size() && (n = ::pread(fd.get(), out.data() + done, out.size() - done,
                                           static_cast<off_t>(done))) > 0) {
    done += static_cast<size_t>(n);
  }
  EXPECT_EQ(n, -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_LT(done, out.size());
  EXPECT_TRUE(Equal(ByteView(out).first(done), ByteView(big_).first(done)));
  const StatusEvent event = NextEvent();
  EXPECT_EQ(event.event, "read_error");
  EXPECT_EQ(event.code, "dataset.corrupt");
  EXPECT_NE(event.message.find(hex), std::string::npos);
  // Everything else still reads.
  EXPECT_TRUE(FileBytes(At("many/file1")) == FileBytes(source_.At("many/file1")));
}

TEST_F(MountTest, PrefetchNeedsTheStoreNoMore) {
  StartMessage message = Message();
  message.prefetch = {"many"};
  const StatusEvent event = Start(message);
  ASSERT_EQ(event.event, "ready") << event.message;
  for (const auto& open : fs::directory_iterator("/proc/" + std::to_string(pid_) + "/fd")) {
    std::error_code gone;
    const std::string path = fs::read_symlink(open.path(), gone);
    EXPECT_FALSE(path.starts_with(store_folder_.path() + "/")) << path;
  }
  for (const dataset::StoredObject& object : snapshot_.objects) {
    ASSERT_TRUE(store_->Remove(object.name));
  }
  EXPECT_TRUE(FileBytes(At("many/file7")) == FileBytes(source_.At("many/file7")));
  EXPECT_EQ(ReadFile(At("big"), 1 << 30).error().code, "io.failed");
  EXPECT_EQ(NextEvent().code, "dataset.not_prefetched");
}

TEST_F(MountTest, SaysWhyItDoesNotStart) {
  StartMessage wrong_key = Message();
  wrong_key.keys = dataset::TestKeys(dataset::kTestEpoch, 9);
  StatusEvent event = Start(wrong_key);
  EXPECT_EQ(event.event, "failed");
  EXPECT_EQ(event.code, "dataset.wrong_key");
  EXPECT_EQ(Wait(), 1);
  StartMessage no_store = Message();
  no_store.store_dir += "/not-there";
  event = Start(no_store);
  EXPECT_EQ(event.code, "io.not_found");
  EXPECT_EQ(Wait(), 1);
  StartMessage no_mountpoint = Message();
  no_mountpoint.mountpoint += "/not-there";
  event = Start(no_mountpoint);
  EXPECT_EQ(event.event, "failed");
  EXPECT_EQ(Wait(), 1);
}

TEST_F(MountTest, EndsWithItsParentEvenWhileAFileIsOpen) {
  MustStart();
  const UniqueFd fd(::open(At("big").c_str(), O_RDONLY));
  start_.Reset();
  const StatusEvent event = NextEvent();
  EXPECT_EQ(event.event, "ended");
  EXPECT_EQ(event.reason, "parent_closed");
  EXPECT_EQ(Wait(), 0);
  EXPECT_FALSE(fs::exists(At("big")));
}

TEST_F(MountTest, ACrashIsAnErrorForTheReaderAndAnEndForTheParent) {
  MustStart();
  const UniqueFd fd(::open(At("big").c_str(), O_RDONLY));
  ASSERT_TRUE(fd.valid());
  ASSERT_EQ(::kill(pid_, SIGKILL), 0);
  EXPECT_EQ(NextEvent().event, "none");  // the status pipe ends without "ended"
  EXPECT_EQ(Wait(), -1);
  Bytes out(kPage);
  EXPECT_EQ(::pread(fd.get(), out.data(), out.size(), 0), -1);
  EXPECT_TRUE(errno == ENOTCONN || errno == EIO || errno == ECONNABORTED) << errno;
  struct stat info{};
  EXPECT_EQ(::stat(At("many").c_str(), &info), -1);
  EXPECT_EQ(errno, ENOTCONN);
}

TEST_F(MountTest, TheKeysLieInLockedMemory) {
  MustStart();
  const std::string status =
      ReadTextFile("/proc/" + std::to_string(pid_) + "/status", 1 << 16).value();
  const size_t at = status.find("VmLck:");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GT(std::stoul(status.substr(at + 6)), 0u);
}

TEST_F(MountTest, EndsWhenUnmounted) {
  MustStart();
  ASSERT_EQ(::umount2(mountpoint().c_str(), 0), 0);
  EXPECT_EQ(NextEvent().reason, "unmounted");
  EXPECT_EQ(Wait(), 0);
}

TEST_F(MountTest, EndsOnASignal) {
  MustStart();
  ASSERT_EQ(::kill(pid_, SIGTERM), 0);
  EXPECT_EQ(NextEvent().reason, "signal");
  EXPECT_EQ(Wait(), 0);
  EXPECT_FALSE(fs::exists(At("big")));
}

TEST_F(MountTest, ManyReadersAtOnce) {
  MustStart();
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> readers;
    for (int t = 0; t < 8; ++t) {
      readers.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          const std::string name = "many/file" + std::to_string((i * 7 + t * 31) % 300);
          if (FileBytes(At(name)) != FileBytes(source_.At(name))) ++wrong;
        }
        if (FileBytes(At("big")) != big_) ++wrong;
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace cce::decrypt_fs
