#include "executor/output.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "crypto/hash.h"

namespace cce::executor {
namespace {

namespace fs = std::filesystem;

class OutputTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cce-output-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    request_.folder = folder_;
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Write(const std::string& path, std::string_view text) {
    fs::create_directories(fs::path(folder_ + "/" + path).parent_path());
    std::ofstream(folder_ + "/" + path) << text;
  }
  std::string Collect() {
    tar_.clear();
    auto r = CollectOutput(request_, [&](ByteView bytes) -> Result<> {
      Append(tar_, bytes);
      return {};
    });
    if (!r) return r.error().code;
    summary_ = *r;
    return "ok";
  }
  struct Member {
    std::string contents;
    mode_t mode;
    int64_t mtime;
    int64_t uid;
  };
  std::vector<std::string> Names() {
    std::vector<std::string> out;
    for (const auto& [name, member] : Read()) out.push_back(name);
    return out;
  }
  std::vector<std::pair<std::string, Member>> Read() {
    std::vector<std::pair<std::string, Member>> out;
    archive* a = archive_read_new();
    archive_read_support_format_tar(a);
    EXPECT_EQ(archive_read_open_memory(a, tar_.data(), tar_.size()), ARCHIVE_OK);
    archive_entry* entry = nullptr;
    while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
      std::string text(static_cast<size_t>(archive_entry_size(entry)), '\0');
      if (!text.empty()) {
        EXPECT_EQ(archive_read_data(a, text.data(), text.size()),
                  static_cast<la_ssize_t>(text.size()));
      }
      out.emplace_back(archive_entry_pathname(entry),
                       Member{text, archive_entry_mode(entry), archive_entry_mtime(entry),
                              archive_entry_uid(entry)});
    }
    archive_read_free(a);
    return out;
  }
  std::string Contents(const std::string& name) {
    for (const auto& [path, member] : Read()) {
      if (path == name) return member.contents;
    }
    return "(absent)";
  }

  std::string folder_;
  OutputRequest request_;
  OutputSummary summary_;
  Bytes tar_;
};

TEST_F(OutputTest, SameFilesGiveSameBytes) {
  Write("b.csv", "1,2\n");
  Write("a/x", "deep");
  request_.stdout_bytes = AsBytes("hello\n");
  ASSERT_EQ(Collect(), "ok");
  const Bytes first = tar_;
  EXPECT_EQ(summary_.tar_bytes, tar_.size());
  EXPECT_EQ(tar_.size() % 10240, 0u);

  fs::remove_all(folder_ + "/a");
  fs::remove(folder_ + "/b.csv");
  Write("a/x", "deep");
  Write("b.csv", "1,2\n");
  ASSERT_EQ(chmod((folder_ + "/b.csv").c_str(), 0600), 0);
  ASSERT_EQ(Collect(), "ok");
  EXPECT_EQ(tar_, first);
  EXPECT_EQ(Names(), (std::vector<std::string>{".cce/", ".cce/stderr.txt", ".cce/stdout.txt", "a/",
                                               "a/x", "b.csv"}));
  EXPECT_EQ(Contents(".cce/stdout.txt"), "hello\n");
  for (const auto& [name, member] : Read()) {
    EXPECT_EQ(member.mtime, 0) << name;
    EXPECT_EQ(member.uid, 0) << name;
  }
}

// docs/formats/output.md
TEST_F(OutputTest, MatchesTheVector) {
  Write("b.csv", "1,2\n");
  Write("a/x", "deep");
  ASSERT_EQ(symlink("b.csv", (folder_ + "/link").c_str()), 0);
  request_.stdout_bytes = AsBytes("hello\n");
  ASSERT_EQ(Collect(), "ok");
  EXPECT_EQ(ToHex(crypto::Sha256(tar_)),
            "a19938944b9cb76207c577cfe3a31454f3c36cb077c8cd5603e0313da9f935fa");
}

TEST_F(OutputTest, SortsByWholePath) {
  Write("a/x", "");
  Write("a.txt", "");
  ASSERT_EQ(Collect(), "ok");
  const auto names = Names();
  EXPECT_EQ(std::vector<std::string>(names.begin() + 3, names.end()),
            (std::vector<std::string>{"a/", "a.txt", "a/x"}));
}

TEST_F(OutputTest, NormalisesModes) {
  Write("run.sh", "x");
  chmod((folder_ + "/run.sh").c_str(), 04711);
  ASSERT_EQ(Collect(), "ok");
  for (const auto& [name, member] : Read()) {
    if (name == "run.sh") {
      EXPECT_EQ(member.mode & 07777, 0755u);
    }
  }
}

TEST_F(OutputTest, OmitsAndNamesWhatIsNotAFile) {
  Write("real", "r");
  fs::create_symlink("/etc/shadow", folder_ + "/secret");
  fs::create_symlink("/etc", folder_ + "/folder");
  ASSERT_EQ(mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  const int s = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX};
  const std::string path = folder_ + "/sock";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(s, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(s);
  Write(".cce/stdout.txt", "forged");
  ASSERT_EQ(Collect(), "ok");
  EXPECT_EQ(Contents(".cce/omitted.txt"),
            "reserved .cce\nsymlink folder\npipe pipe\nsymlink secret\nsocket sock\n");
  EXPECT_EQ(Contents(".cce/stdout.txt"), "");
  EXPECT_EQ(Contents("secret"), "(absent)");
  EXPECT_EQ(summary_.omitted.size(), 5u);
}

TEST_F(OutputTest, OmitsNamesThatHide) {
  Write("new\nline", "");
  Write("bad\xff", "");
  Write("\xc3\xa9t\xc3\xa9.csv", "ok");
  ASSERT_EQ(Collect(), "ok");
  EXPECT_EQ(Contents(".cce/omitted.txt"), "name bad\\xff\nname new\\x0aline\n");
  EXPECT_EQ(summary_.files, 4u);  // the French one and three of ours
}

TEST_F(OutputTest, KeepsLongAndForeignNames) {
  const std::string name = std::string(180, 'n') + "/" + std::string(200, 'm') + "-\xc3\xa9";
  Write(name, "x");
  ASSERT_EQ(Collect(), "ok");
  const std::string text(AsText(tar_));
  EXPECT_NE(text.find("path=" + name), std::string::npos);  // a pax record in UTF-8
  EXPECT_EQ(text.find("hdrcharset"), std::string::npos);
}

TEST_F(OutputTest, BoundsSizeWithHolesInFull) {
  Write("sparse", "");
  ASSERT_EQ(truncate((folder_ + "/sparse").c_str(), off_t{1} << 40), 0);
  EXPECT_EQ(Collect(), "output.too_large");
  EXPECT_TRUE(tar_.empty());  // found before a byte was written
}

TEST_F(OutputTest, BoundsCountDepthAndPath) {
  for (int i = 0; i < 5; ++i) Write("f" + std::to_string(i), "");
  request_.limits.max_entries = 4;
  EXPECT_EQ(Collect(), "output.too_many");
  request_.limits = {};
  Write("a/b/c/d", "");
  request_.limits.max_depth = 2;
  EXPECT_EQ(Collect(), "output.bad_tree");
  request_.limits = {};
  request_.limits.max_path = 6;
  EXPECT_EQ(Collect(), "output.bad_tree");
}

TEST_F(OutputTest, MarksCutStreams) {
  request_.stdout_bytes = AsBytes("abc");
  request_.stdout_cut = true;
  ASSERT_EQ(Collect(), "ok");
  EXPECT_EQ(Contents(".cce/stdout.txt"), "abc\n[cut here: more was printed than is kept]\n");
}

TEST_F(OutputTest, ReturnsTheSinksError) {
  Write("big", std::string(1 << 20, 'x'));
  auto r = CollectOutput(request_, [](ByteView) -> Result<> { return Fail("io.disk_full", "no"); });
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, "io.disk_full");
}

TEST_F(OutputTest, AFolderThatIsALinkIsRefused) {
  request_.folder = folder_ + "-link";
  fs::create_symlink(folder_, request_.folder);
  EXPECT_EQ(Collect(), "io.failed");
  fs::remove(request_.folder);
}

}  // namespace
}  // namespace cce::executor
