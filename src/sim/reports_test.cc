#include "sim/reports.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace cce::sim {
namespace {

// Echoes the inblob and counts, so that a test sees which evidence it got.
class Echo : public ReportSource {
 public:
  std::string_view provider() const override { return "echo_guest"; }
  Result<Bytes> NewReport(ByteView inblob) const override {
    if (inblob.size() == 13) return Fail("io.failed", "unlucky");
    ++made_;
    return ToBytes(std::to_string(made_) + ":" + std::string(AsText(inblob)));
  }

 private:
  mutable int made_ = 0;
};

class ReportsTest : public testing::Test {
 protected:
  uint64_t Inode(std::string_view file, std::string_view report = "r") {
    NodeInfo info;
    EXPECT_EQ(reports_.Lookup(kReportsInode, report, info), 0);
    EXPECT_EQ(reports_.Lookup(info.inode, file, info), 0);
    return info.inode;
  }
  int Put(std::string_view text, off_t offset = 0) {
    uint64_t handle = 0;
    EXPECT_EQ(reports_.Open(Inode("inblob"), O_WRONLY, handle), 0);
    const int error = reports_.Write(handle, AsBytes(text), offset);
    reports_.Close(handle);
    return error;
  }
  // The text, or the errno's number.
  std::string Get(std::string_view file) {
    uint64_t handle = 0;
    EXPECT_EQ(reports_.Open(Inode(file), O_RDONLY, handle), 0);
    ByteView out;
    const int error = reports_.Read(handle, 4096, 0, out);
    std::string text(AsText(out));
    reports_.Close(handle);
    return error == 0 ? text : std::to_string(error);
  }
  void SetUp() override {
    NodeInfo info;
    ASSERT_EQ(reports_.MakeReport(kReportsInode, "r", info), 0);
  }

  Reports reports_{std::make_unique<Echo>()};
};

TEST_F(ReportsTest, EvidenceNeedsAnInblobAndIsKeptUntilTheNextWrite) {
  EXPECT_EQ(Get("outblob"), std::to_string(EINVAL));
  EXPECT_EQ(Get("generation"), "0\n");
  EXPECT_EQ(Get("provider"), "echo_guest\n");
  ASSERT_EQ(Put("a"), 0);
  EXPECT_EQ(Get("generation"), "1\n");
  EXPECT_EQ(Get("outblob"), "1:a");
  EXPECT_EQ(Get("outblob"), "1:a");
  ASSERT_EQ(Put("a"), 0);
  EXPECT_EQ(Get("generation"), "2\n");
  EXPECT_EQ(Get("outblob"), "2:a");
}

TEST_F(ReportsTest, AnOpenFileKeepsItsCopy) {
  ASSERT_EQ(Put("a"), 0);
  uint64_t handle = 0;
  ASSERT_EQ(reports_.Open(Inode("outblob"), O_RDONLY, handle), 0);
  ByteView out;
  ASSERT_EQ(reports_.Read(handle, 2, 0, out), 0);
  EXPECT_EQ(AsText(out), "1:");
  ASSERT_EQ(Put("b"), 0);
  ASSERT_EQ(reports_.Read(handle, 100, 2, out), 0);
  EXPECT_EQ(AsText(out), "a");
  ASSERT_EQ(reports_.Read(handle, 100, 1 << 20, out), 0);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(Get("outblob"), "2:b");
}

TEST_F(ReportsTest, AnInblobIsTakenOverWhenClosed) {
  uint64_t handle = 0;
  ASSERT_EQ(reports_.Open(Inode("inblob"), O_WRONLY, handle), 0);
  ASSERT_EQ(reports_.Write(handle, AsBytes("ab"), 0), 0);
  ASSERT_EQ(reports_.Write(handle, AsBytes("cd"), 2), 0);
  EXPECT_EQ(Get("generation"), "0\n");
  EXPECT_EQ(reports_.Flush(handle), 0);
  EXPECT_EQ(reports_.Flush(handle), 0);
  reports_.Close(handle);
  EXPECT_EQ(Get("generation"), "1\n");
  EXPECT_EQ(Get("outblob"), "1:abcd");
}

TEST_F(ReportsTest, RefusesAsTheKernelDoes) {
  EXPECT_EQ(Put(std::string(65, 'x')), EFBIG);
  EXPECT_EQ(Put("x", 64), EFBIG);
  EXPECT_EQ(Put("x", 1 << 30), EFBIG);
  EXPECT_EQ(Get("generation"), "0\n");
  ASSERT_EQ(Put(std::string(13, 'x')), 0);
  EXPECT_EQ(Get("outblob"), std::to_string(EIO));

  uint64_t handle = 0;
  EXPECT_EQ(reports_.Open(Inode("inblob"), O_RDONLY, handle), EACCES);
  EXPECT_EQ(reports_.Open(Inode("inblob"), O_RDWR, handle), EACCES);
  EXPECT_EQ(reports_.Open(Inode("outblob"), O_WRONLY, handle), EACCES);
  EXPECT_EQ(reports_.Open(Inode("generation"), O_RDWR, handle), EACCES);
  EXPECT_EQ(reports_.Open(kReportsInode, O_RDONLY, handle), EISDIR);

  NodeInfo info;
  EXPECT_EQ(reports_.Lookup(kRootInode, "auxblob", info), ENOENT);
  EXPECT_EQ(reports_.MakeReport(kReportsInode, "r", info), EEXIST);
  EXPECT_EQ(reports_.MakeReport(kRootInode, "x", info), EPERM);
  EXPECT_EQ(reports_.RemoveReport(kRootInode, "report"), EPERM);
  EXPECT_EQ(reports_.RemoveReport(kReportsInode, "none"), ENOENT);
}

TEST_F(ReportsTest, ARemovedReportIsGoneForThoseWhoHaveItOpen) {
  uint64_t in = 0;
  uint64_t out = 0;
  ASSERT_EQ(reports_.Open(Inode("inblob"), O_WRONLY, in), 0);
  ASSERT_EQ(reports_.Open(Inode("outblob"), O_RDONLY, out), 0);
  ASSERT_EQ(reports_.RemoveReport(kReportsInode, "r"), 0);
  ByteView data;
  EXPECT_EQ(reports_.Write(in, AsBytes("a"), 0), ENOENT);
  EXPECT_EQ(reports_.Read(out, 10, 0, data), ENOENT);
  // A new one of the same name is another.
  NodeInfo info;
  ASSERT_EQ(reports_.MakeReport(kReportsInode, "r", info), 0);
  EXPECT_EQ(Get("generation"), "0\n");
  EXPECT_EQ(reports_.Read(out, 10, 0, data), ENOENT);
  reports_.Close(in);
  reports_.Close(out);
}

TEST_F(ReportsTest, CountsAreBounded) {
  NodeInfo info;
  int error = 0;
  for (int i = 0; i < 1000 && error == 0; ++i) {
    error = reports_.MakeReport(kReportsInode, "x" + std::to_string(i), info);
  }
  EXPECT_EQ(error, ENOMEM);
  error = 0;
  uint64_t handle = 0;
  for (int i = 0; i < 5000 && error == 0; ++i) {
    error = reports_.Open(Inode("provider"), O_RDONLY, handle);
  }
  EXPECT_EQ(error, ENFILE);
}

}  // namespace
}  // namespace cce::sim
