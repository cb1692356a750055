#include "cli/result_files.h"
#include "cli/tar_fixture.h"

namespace cce::cli {
namespace {

TEST(Extract, FilesAndFolders) {
  const TempFolder folder;
  const std::string tar = MakeTar(folder, {{"a", "", AE_IFDIR, "", false, 0755},
                                           {"a/b.csv", "1,2\n"},
                                           {"deep/er/run", "x", AE_IFREG, "", false, 04777}});
  const std::string out = folder.path() + "/out";
  EXPECT_EQ(Must(ExtractTar(tar, out)), 3U);
  EXPECT_EQ(Must(ReadTextFile(out + "/a/b.csv", 100)), "1,2\n");
  using std::filesystem::perms;
  const perms run = std::filesystem::status(out + "/deep/er/run").permissions();
  EXPECT_EQ(run & perms::set_uid, perms::none);
  EXPECT_EQ(run & perms::owner_exec, perms::owner_exec);
  // Never over something else.
  EXPECT_EQ(CodeOf(ExtractTar(tar, out)), "cli.exists");
}

TEST(Extract, RefusesWhatNoResultHolds) {
  const std::vector<std::vector<Member>> bad = {
      {{"../up", "x"}},
      {{"/etc/abs", "x"}},
      {{"a/../../up", "x"}},
      {{"a//b", "x"}},
      {{"link", "", AE_IFLNK, "/etc"}},
      {{"a", "x"}, {"hard", "", AE_IFREG, "a", true}},
      {{"pipe", "", AE_IFIFO}},
      {{"a", "x"}, {"a", "y"}},
  };
  for (const auto& members : bad) {
    const TempFolder folder;
    const std::string tar = MakeTar(folder, members);
    EXPECT_EQ(CodeOf(ExtractTar(tar, folder.path() + "/out")), "result.bad_archive")
        << members.back().path;
    EXPECT_FALSE(std::filesystem::exists(folder.path() + "/up"));
  }
}

TEST(Extract, Bounds) {
  const TempFolder folder;
  const std::string tar = MakeTar(folder, {{"a", std::string(1000, 'x')}, {"b", "y"}});
  EXPECT_EQ(CodeOf(ExtractTar(tar, folder.path() + "/1", {.max_bytes = 1000})),
            "result.bad_archive");
  EXPECT_EQ(CodeOf(ExtractTar(tar, folder.path() + "/2", {.max_entries = 1})),
            "result.bad_archive");
  EXPECT_EQ(
      CodeOf(ExtractTar(folder.Write("no.tar", "no tar at all, but text"), folder.path() + "/3")),
      "result.bad_archive");
}

}  // namespace
}  // namespace cce::cli
