#include "manifest/output_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manifest/test_bundle.h"

namespace cce::manifest {
namespace {

using testing::Key;
using testing::UnorderedElementsAre;

std::string CodeOf(ByteView tar) {
  const auto files = ListOutput(tar);
  return files ? "" : files.error().code;
}

TEST(ListOutput, GivesFilesWithTheirDigests) {
  const std::string deep = std::string(200, 'd') + "/" + std::string(200, 'e');
  const auto files = ListOutput(
      MakeTar({{"a", "", AE_IFDIR}, {"a/b.csv", "1,2"}, {"größe €.txt", ""}, {deep, "x"}}));
  ASSERT_TRUE(files) << FormatError(files.error());
  EXPECT_THAT(*files, UnorderedElementsAre(Key("a/b.csv"), Key("größe €.txt"), Key(deep)));
  EXPECT_EQ(files->at("a/b.csv"), crypto::Sha256(AsBytes("1,2")));
  EXPECT_EQ(files->at("größe €.txt"), crypto::Sha256({}));
}

TEST(ListOutput, TakesAnEmptyTar) {
  const auto files = ListOutput(MakeTar({}));
  ASSERT_TRUE(files);
  EXPECT_TRUE(files->empty());
}

TEST(ListOutput, RefusesAnythingButFilesAndFolders) {
  EXPECT_EQ(CodeOf(MakeTar({{"a", "", AE_IFLNK}})), "manifest.result_mismatch");
  EXPECT_EQ(CodeOf(MakeTar({{"a", "", AE_IFIFO}})), "manifest.result_mismatch");
  EXPECT_EQ(CodeOf(MakeTar({{"a", "1"}, {"b", "", AE_IFREG, "a"}})), "manifest.result_mismatch");
}

TEST(ListOutput, RefusesPathsThatLeadElsewhere) {
  for (const char* path : {"/etc/passwd", "../a", "a/../../b", "a//b", "./a", ".."}) {
    EXPECT_EQ(CodeOf(MakeTar({{path, "1"}})), "manifest.result_mismatch") << path;
  }
  EXPECT_EQ(CodeOf(MakeTar({{"../a", "", AE_IFDIR}})), "manifest.result_mismatch");
}

TEST(ListOutput, RefusesAPathTwice) {
  EXPECT_EQ(CodeOf(MakeTar({{"a", "1"}, {"a", "2"}})), "manifest.result_mismatch");
}

TEST(ListOutput, RefusesWhatIsNoTarOrCutOff) {
  EXPECT_EQ(CodeOf(AsBytes("no tar at all")), "manifest.result_mismatch");
  const Bytes tar = MakeTar({{"a", std::string(5000, 'x')}});
  EXPECT_EQ(CodeOf(ByteView(tar).first(2000)), "manifest.result_mismatch");
}

TEST(ListOutput, RefusesASparseFileThatClaimsMoreThanThereIs) {
  Bytes tar(size_t{1} << 20);
  size_t used = 0;
  archive* a = archive_write_new();
  archive_write_set_format_pax(a);
  archive_write_open_memory(a, tar.data(), tar.size(), &used);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, "hole");
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, 0644);
  archive_entry_set_size(entry, int64_t{1} << 40);
  archive_entry_sparse_add_entry(entry, 0, 1);
  archive_write_header(a, entry);
  archive_write_data(a, "x", 1);
  archive_entry_free(entry);
  archive_write_close(a);
  archive_write_free(a);
  tar.resize(used);
  EXPECT_EQ(CodeOf(tar), "manifest.result_mismatch");
}

}  // namespace
}  // namespace cce::manifest
