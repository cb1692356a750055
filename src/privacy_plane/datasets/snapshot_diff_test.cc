#include "privacy_plane/datasets/snapshot_diff.h"

#include <gtest/gtest.h>

#include "dataset/dataset_fixture.h"
#include "dataset/memory_store.h"

namespace cce::privacy_plane {
namespace {

using dataset::TestFolder;

class SnapshotDiffTest : public testing::Test {
 protected:
  std::unique_ptr<dataset::SnapshotReader> Snapshot(const TestFolder& folder) {
    const auto info = dataset::UploadFolder(store_, folder.path()).value();
    return dataset::SnapshotReader::Open(store_, dataset::kTestDataset, info.snapshot,
                                         dataset::TestKeys())
        .value();
  }
  // "change path" of every change, gathered over pages of `limits`.
  std::vector<std::string> Changes(const DiffLimits& limits = {}) {
    const auto before = Snapshot(old_);
    const auto after = Snapshot(new_);
    std::vector<std::string> out;
    std::string behind;
    for (int pages = 0; pages < 1000; ++pages) {
      const DiffPage page = DiffIndexes(before->index(), after->index(), behind, limits);
      EXPECT_LE(page.changes.size(), limits.changes);
      for (const json::value& change : page.changes) {
        out.push_back(std::string(change.at("change").as_string()) + " " +
                      std::string(change.at("path").as_string()));
      }
      if (!page.next) return out;
      EXPECT_NE(*page.next, behind);
      behind = *page.next;
    }
    ADD_FAILURE() << "the pages have no end";
    return out;
  }
  // The same file in both, with the same time.
  void Both(const std::string& name, std::string_view content) {
    for (const TestFolder* folder : {&old_, &new_}) {
      folder->Write(name, AsBytes(content));
      std::filesystem::last_write_time(folder->At(name), time_);
    }
  }
  void AllOfOneTime() {
    for (const TestFolder* folder : {&old_, &new_}) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder->path())) {
        if (!entry.is_symlink()) std::filesystem::last_write_time(entry.path(), time_);
      }
    }
  }

  dataset::MemoryStore store_;
  TestFolder old_, new_;
  const std::filesystem::file_time_type time_ = std::filesystem::file_time_type::clock::now();
};

TEST_F(SnapshotDiffTest, EqualFoldersDifferInNothing) {
  Both("a/b", "same");
  Both("c", "");
  AllOfOneTime();
  EXPECT_TRUE(Changes().empty());
}

TEST_F(SnapshotDiffTest, NamesEveryKindOfChangeInPathOrder) {
  Both("a/same", "x");
  old_.Write("a/gone", AsBytes("x"));
  new_.Write("a.new", AsBytes("x"));
  Both("content", "old!");
  new_.Write("content", AsBytes("new!"));
  Both("mode", "x");
  Both("longer", "1");
  new_.Write("longer", AsBytes("12"));
  old_.Write("kind", AsBytes("x"));
  std::filesystem::create_directory(new_.At("kind"));
  AllOfOneTime();
  std::filesystem::permissions(new_.At("mode"), std::filesystem::perms::owner_read);
  const std::vector<std::string> all = {"removed a/gone", "added a.new",    "content content",
                                        "content kind",   "content longer", "attributes mode"};
  EXPECT_EQ(Changes(), all);
  for (const size_t changes : {1U, 2U, 5U}) EXPECT_EQ(Changes({.changes = changes}), all);
  for (const size_t examined : {1U, 2U, 3U}) EXPECT_EQ(Changes({.examined = examined}), all);
}

TEST_F(SnapshotDiffTest, ATimeAloneIsAnAttribute) {
  Both("f", "x");
  AllOfOneTime();
  std::filesystem::last_write_time(new_.At("f"), time_ + std::chrono::seconds(1));
  EXPECT_EQ(Changes(), std::vector<std::string>{"attributes f"});
}

TEST_F(SnapshotDiffTest, AgainstAnEmptySnapshot) {
  new_.Write("d/f", AsBytes("x"));
  EXPECT_EQ(Changes(), (std::vector<std::string>{"added d", "added d/f"}));
}

TEST(EscapePath, NeverMakesTwoPathsLookTheSame) {
  EXPECT_EQ(EscapePath("a/b c.txt"), "a/b c.txt");
  EXPECT_EQ(EscapePath("gr\xc3\xbc\xc3\x9f/\xe6\x97\xa5"), "gr\xc3\xbc\xc3\x9f/\xe6\x97\xa5");
  EXPECT_EQ(EscapePath("a\nb"), "a\\x0ab");
  EXPECT_EQ(EscapePath("a\\x0ab"), "a\\x5cx0ab");
  EXPECT_EQ(EscapePath("\xff"), "\\xff");
  EXPECT_EQ(EscapePath("\xc0\xaf"), "\\xc0\\xaf");           // an overlong '/'
  EXPECT_EQ(EscapePath("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(EscapePath("\xc2\x9b"), "\\xc2\\x9b");           // a terminal's control sequence
  EXPECT_EQ(EscapePath("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right to left
  EXPECT_EQ(EscapePath("\xc3"), "\\xc3");                    // cut off
}

}  // namespace
}  // namespace cce::privacy_plane
