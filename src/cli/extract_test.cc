#include <archive.h>
#include <archive_entry.h>

#include <memory>

#include "cli/result_files.h"
#include "cli/test_support.h"

namespace cce::cli {
namespace {

struct Member {
  std::string path;
  std::string content;
  mode_t type = AE_IFREG;
  std::string link;
  bool hard = false;
  mode_t mode = 0644;
};

std::string MakeTar(const TempFolder& folder, const std::vector<Member>& members) {
  const std::string path = folder.path() + "/in.tar";
  const std::unique_ptr<archive, void (*)(archive*)> out(archive_write_new(),
                                                         [](archive* a) { archive_write_free(a); });
  archive_write_set_format_pax_restricted(out.get());
  archive_write_open_filename(out.get(), path.c_str());
  for (const Member& m : members) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                         archive_entry_free);
    archive_entry_set_pathname(entry.get(), m.path.c_str());
    archive_entry_set_filetype(entry.get(), m.type);
    archive_entry_set_perm(entry.get(), m.mode);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(m.content.size()));
    if (!m.link.empty() && m.hard) archive_entry_set_hardlink(entry.get(), m.link.c_str());
    if (!m.link.empty() && !m.hard) archive_entry_set_symlink(entry.get(), m.link.c_str());
    archive_write_header(out.get(), entry.get());
    archive_write_data(out.get(), m.content.data(), m.content.size());
  }
  archive_write_close(out.get());
  return path;
}

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
