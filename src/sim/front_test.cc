#include "sim/front.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "sim/measure.h"
#include "sim/tdx_quote.h"
#include "sim/test_folder.h"

namespace cce::sim {
namespace {

// Mounting needs root and /dev/fuse: absent, the tests say so; where CI is set, that is a failure.
bool CanMount() { return geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0; }
#define NEEDS_MOUNT()                                                           \
  if (!CanMount()) {                                                            \
    if (getenv("CI") != nullptr) FAIL() << "mounting needs root and /dev/fuse"; \
    GTEST_SKIP() << "mounting needs root and /dev/fuse";                        \
  }

// A mounted front, served by a thread of its own.
class MountedFront {
 public:
  MountedFront(const std::string& path, std::unique_ptr<const ReportSource> source)
      : stop_(eventfd(0, EFD_CLOEXEC)) {
    auto front = Front::Mount(path, std::move(source));
    if (!front) {
      ADD_FAILURE() << FormatError(front.error());
      return;
    }
    thread_ = std::thread([this, front = std::move(*front)]() mutable {
      front->Serve({stop_.get()});
      front.reset();
    });
  }
  ~MountedFront() { End(); }
  void End() {
    const uint64_t one = 1;
    EXPECT_EQ(write(stop_.get(), &one, sizeof(one)), 8);
    if (thread_.joinable()) thread_.join();
  }

 private:
  UniqueFd stop_;
  std::thread thread_;
};

class FrontTest : public testing::Test {
 protected:
  FrontTest() : chip_(*Chip::Open(folder_.path() + "/state", SystemClock())) {
    measurement_.mrtd.fill(0x11);
    measurement_.mrconfigid.fill(0x33);
    mount_ = folder_.path() + "/front";
    std::filesystem::create_directory(mount_);
    report_ = mount_ + "/report/a";
  }
  std::unique_ptr<const ReportSource> Source() {
    return std::make_unique<TdxQuoteSource>(chip_, measurement_, **FindDefect(""));
  }
  int Put(ByteView bytes) {
    const UniqueFd fd(open((report_ + "/inblob").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    if (!fd.valid()) return errno;
    return write(fd.get(), bytes.data(), bytes.size()) < 0 ? errno : 0;
  }

  TestFolder folder_;
  Chip chip_;
  protocol::ChipMeasurement measurement_;
  std::string mount_;
  std::string report_;
};

TEST_F(FrontTest, QuoteThroughPlainFiles) {
  NEEDS_MOUNT();
  MountedFront front(mount_, Source());
  ASSERT_EQ(mkdir(report_.c_str(), 0700), 0);
  EXPECT_EQ(*ReadTextFile(report_ + "/provider", 100), "tdx_guest\n");
  EXPECT_EQ(*ReadTextFile(report_ + "/generation", 100), "0\n");
  Bytes report_data(64);
  for (size_t i = 0; i < 64; ++i) report_data[i] = static_cast<uint8_t>(200 - i);
  ASSERT_EQ(Put(report_data), 0);
  EXPECT_EQ(*ReadTextFile(report_ + "/generation", 100), "1\n");
  const auto quote = ReadFile(report_ + "/outblob", 1 << 20);
  ASSERT_TRUE(quote) << FormatError(quote.error());
  ASSERT_EQ(quote->size(), 8000u);
  EXPECT_TRUE(Equal(ByteView(*quote).subspan(48 + 136, 48), measurement_.mrtd));
  EXPECT_TRUE(Equal(ByteView(*quote).subspan(48 + 184, 48), measurement_.mrconfigid));
  EXPECT_TRUE(Equal(ByteView(*quote).subspan(48 + 520, 64), report_data));
  EXPECT_EQ(*ReadFile(report_ + "/outblob", 1 << 20), *quote);

  const UniqueFd fd(open((report_ + "/outblob").c_str(), O_RDONLY | O_CLOEXEC));
  Bytes part(10);
  ASSERT_EQ(pread(fd.get(), part.data(), 10, 568), 10);
  EXPECT_TRUE(Equal(part, ByteView(report_data).first(10)));
  EXPECT_EQ(pread(fd.get(), part.data(), 10, 8000), 0);
  EXPECT_EQ(rmdir(report_.c_str()), 0);
  EXPECT_NE(access(report_.c_str(), F_OK), 0);
}

TEST_F(FrontTest, ErrorsOfTheKernel) {
  NEEDS_MOUNT();
  MountedFront front(mount_, Source());
  ASSERT_EQ(mkdir(report_.c_str(), 0700), 0);
  const auto error_of = [](int result) { return result < 0 ? errno : 0; };
  EXPECT_EQ(error_of(mkdir(report_.c_str(), 0700)), EEXIST);
  EXPECT_EQ(error_of(mkdir((report_ + "/b").c_str(), 0700)), EPERM);
  EXPECT_EQ(error_of(mkdir((mount_ + "/other").c_str(), 0700)), EPERM);
  EXPECT_EQ(error_of(rmdir((mount_ + "/report").c_str())), EPERM);
  EXPECT_EQ(error_of(unlink((report_ + "/inblob").c_str())), EPERM);
  EXPECT_EQ(error_of(open((report_ + "/new").c_str(), O_CREAT | O_WRONLY, 0600)), EACCES);
  EXPECT_EQ(error_of(open((report_ + "/auxblob").c_str(), O_RDONLY)), ENOENT);
  EXPECT_EQ(error_of(open((report_ + "/inblob").c_str(), O_RDONLY)), EACCES);
  EXPECT_EQ(error_of(open((report_ + "/outblob").c_str(), O_WRONLY)), EACCES);
  const UniqueFd fd(open((report_ + "/outblob").c_str(), O_RDONLY | O_CLOEXEC));
  char byte = 0;
  EXPECT_EQ(error_of(static_cast<int>(read(fd.get(), &byte, 1))), EINVAL);
  EXPECT_EQ(Put(Bytes(65)), EFBIG);
  EXPECT_EQ(Put(Bytes(63)), 0);  // taken, but no REPORTDATA
  EXPECT_EQ(error_of(static_cast<int>(read(fd.get(), &byte, 1))), EINVAL);
  EXPECT_EQ(Put(Bytes(64)), 0);
  EXPECT_EQ(read(fd.get(), &byte, 1), 1);
}

TEST_F(FrontTest, ListsItsFiles) {
  NEEDS_MOUNT();
  MountedFront front(mount_, Source());
  ASSERT_EQ(mkdir(report_.c_str(), 0700), 0);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(mount_)) {
    names.push_back(std::filesystem::relative(entry.path(), mount_));
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"report", "report/a", "report/a/inblob", "report/a/outblob",
                                      "report/a/provider", "report/a/generation"}));
}

TEST_F(FrontTest, EndsWhileAFileIsOpen) {
  NEEDS_MOUNT();
  MountedFront front(mount_, Source());
  ASSERT_EQ(mkdir(report_.c_str(), 0700), 0);
  const UniqueFd fd(open((report_ + "/generation").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(fd.valid());
  front.End();
  char byte = 0;
  EXPECT_EQ(read(fd.get(), &byte, 1), -1);  // whoever holds a bind of it has nothing any more
  EXPECT_TRUE(std::filesystem::is_empty(mount_));
}

}  // namespace
}  // namespace cce::sim
