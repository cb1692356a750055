#include "cli/spool.h"

#include <fcntl.h>

#include "cli/tar_fixture.h"
#include "dataset/part_wire.h"

namespace cce::cli {
namespace {

class SpoolTest : public testing::Test {
 protected:
  Result<Spooled> Tar(const std::string& path) {
    const UniqueFd in(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return SpoolTar(in.get(), folder_.path(), progress_);
  }
  Result<Spooled> Tar(const std::vector<Member>& members) { return Tar(MakeTar(folder_, members)); }
  static std::string ContentOf(const Spooled& spooled, const dataset::SpooledEntry& entry) {
    std::string content(entry.attributes.size, '\0');
    EXPECT_EQ(
        ::pread(spooled.file.get(), content.data(), content.size(), static_cast<off_t>(entry.at)),
        static_cast<ssize_t>(content.size()));
    return content;
  }

  TempFolder folder_;
  Progress progress_{"read", 0, 0, /*quiet=*/true};
};

TEST_F(SpoolTest, TakesTarInAnyOrder) {
  Spooled spooled = Must(Tar({{"z/late", "1"},
                              {"./a.txt", "first"},
                              {"a.txt", "second"},
                              {"z/hard", "", AE_IFREG, "a.txt", true},
                              {"l", "", AE_IFLNK, "a.txt"},
                              {"z", "", AE_IFDIR, "", false, 0700},
                              {"deep/er/file", "x"},
                              {"\xc3\xa4", "umlaut"},
                              {"empty", ""}}));
  ASSERT_EQ(spooled.entries.size(), 9U);
  EXPECT_EQ(ContentOf(spooled, spooled.entries[0]), "1");
  EXPECT_EQ(ContentOf(spooled, spooled.entries[3]), "second");  // a copy of what came before
  EXPECT_EQ(spooled.entries[7].path, "\xc3\xa4");

  const auto plan =
      Must(dataset::UploadPlan::FromSpool(std::move(spooled.file), std::move(spooled.entries)));
  EXPECT_EQ(plan.counts(),
            (ContentCounts{.files = 6, .folders = 3, .links = 1, .bytes = 1 + 6 + 6 + 1 + 6}));
  const auto reader = Must(plan.OpenPart(0, {}));
  Bytes wire(reader->wire_size());
  EXPECT_EQ(Must(reader->Read(wire)), wire.size());
  EXPECT_EQ(AsText(wire).find("first"), std::string_view::npos);  // the later one counts
  EXPECT_TRUE(plan.Root({}).has_value());
}

TEST_F(SpoolTest, RefusesHostileNames) {
  for (const std::string name : {"../x", "/etc/passwd", "a/../../b", "a//b"}) {
    EXPECT_EQ(CodeOf(Tar({{name, "x"}})), "dataset.bad_path") << name;
  }
  const auto plan_code = [&](const std::vector<Member>& members) {
    Spooled spooled = Must(Tar(members));
    return CodeOf(
        dataset::UploadPlan::FromSpool(std::move(spooled.file), std::move(spooled.entries)));
  };
  EXPECT_EQ(plan_code({{"l", "", AE_IFLNK, "/etc/passwd"}}), "dataset.bad_link");
  EXPECT_EQ(plan_code({{"d/l", "", AE_IFLNK, "../../x"}}), "dataset.bad_link");
  EXPECT_EQ(plan_code({{"f", "x"}, {"f/g", "x"}}), "dataset.bad_path");
  EXPECT_EQ(plan_code({{"l", "", AE_IFLNK, "d"}, {"d", "", AE_IFDIR}, {"l/g", "x"}}),
            "dataset.bad_path");
  EXPECT_EQ(CodeOf(Tar({{"h", "", AE_IFREG, "elsewhere", true}})), "upload.bad_archive");
}

TEST_F(SpoolTest, RefusesOtherKindsByName) {
  const auto spooled = Tar({{"pipe", "", AE_IFIFO}});
  ASSERT_FALSE(spooled);
  EXPECT_EQ(spooled.error().code, "upload.refused_kind");
  EXPECT_NE(spooled.error().message.find("pipe"), std::string::npos);
}

TEST_F(SpoolTest, RefusesWhatIsNoArchiveOrIsCutOff) {
  EXPECT_EQ(CodeOf(Tar(folder_.Write("noise", std::string(4096, 'x')))), "upload.bad_archive");
  const std::string whole = MakeTar(folder_, {{"f", std::string(100000, 'x')}});
  std::filesystem::resize_file(whole, 60000);
  EXPECT_EQ(CodeOf(Tar(whole)), "upload.bad_archive");
}

TEST_F(SpoolTest, OneFileFromAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  ASSERT_TRUE(WriteAll(out.get(), AsBytes("a,b\n")).has_value());
  out.Reset();
  const Spooled spooled = Must(SpoolFile(in.get(), "t.csv", 77, folder_.path(), progress_));
  ASSERT_EQ(spooled.entries.size(), 1U);
  EXPECT_EQ(spooled.entries[0].attributes.mtime_ns, 77'000'000'000);
  EXPECT_EQ(ContentOf(spooled, spooled.entries[0]), "a,b\n");
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));  // the spool has no name
  EXPECT_EQ(CodeOf(SpoolFile(in.get(), "../t", 0, folder_.path(), progress_)), "dataset.bad_path");
}

}  // namespace
}  // namespace cce::cli
