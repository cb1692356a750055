#include "dataset/upload_plan.h"

#include <gtest/gtest.h>

#include "dataset/dataset_fixture.h"

namespace cce::dataset {
namespace {

namespace fs = std::filesystem;

constexpr PlanOptions kSmall{.pack_target = 4096, .piece_size = kDigestSpan, .max_records = 8};

TEST(UploadPlan, IsTheSameEachTime) {
  const TestFolder folder;
  for (int i = 0; i < 30; ++i)
    folder.Write("d" + std::to_string(i % 3) + "/f" + std::to_string(i), Noise(700, i));
  folder.Write("large", Noise(2 * kDigestSpan + 5, 1));
  const UploadPlan a = UploadPlan::Scan(folder.path(), kSmall).value();
  const UploadPlan b = UploadPlan::Scan(folder.path(), kSmall).value();
  ASSERT_GT(a.part_count(), 5u);
  ASSERT_EQ(a.part_count(), b.part_count());
  uint64_t payload = 0, files = 0;
  for (uint32_t part = 0; part < a.part_count(); ++part) {
    EXPECT_EQ(WireOf(a, part, kTestDraft), WireOf(b, part, kTestDraft));
    EXPECT_LE(a.PartRecords(part), kSmall.max_records);
    files += a.PartFiles(part);
    payload += a.PartPayload(part);
  }
  EXPECT_EQ(payload, a.counts().bytes);
  EXPECT_EQ(files, a.counts().files);
  EXPECT_EQ(a.counts(),
            (ContentCounts{.files = 31, .folders = 3, .bytes = 30 * 700 + 2 * kDigestSpan + 5}));
  EXPECT_EQ(a.Root(kTestSalt).value(), b.Root(kTestSalt).value());
}

TEST(UploadPlan, RootDoesNotDependOnHowPartsAreCut) {
  const TestFolder folder;
  folder.Write("a/b", Noise(5000, 1));
  folder.Write("large", Noise(kDigestSpan + 5, 2));
  fs::create_symlink("large", folder.At("link"));
  Digest roots[2];
  for (int i = 0; i < 2; ++i) {
    const UploadPlan plan =
        UploadPlan::Scan(folder.path(), i == 0 ? kSmall : PlanOptions{}).value();
    for (uint32_t part = 0; part < plan.part_count(); ++part) WireOf(plan, part, kTestDraft);
    roots[i] = plan.Root(kTestSalt).value();
  }
  EXPECT_EQ(roots[0], roots[1]);
  TreeHasher expected;
  expected.AddLeafHash(ReceiptLeaf(kTestSalt, "a", EntryType::kFolder, 0, {}));
  expected.AddLeafHash(
      ReceiptLeaf(kTestSalt, "a/b", EntryType::kFile, 5000, TreeDigest(Noise(5000, 1))));
  expected.AddLeafHash(ReceiptLeaf(kTestSalt, "large", EntryType::kFile, kDigestSpan + 5,
                                   TreeDigest(Noise(kDigestSpan + 5, 2))));
  expected.AddLeafHash(
      ReceiptLeaf(kTestSalt, "link", EntryType::kLink, 5, TreeDigest(AsBytes("large"))));
  EXPECT_EQ(roots[0], expected.Root());
}

TEST(UploadPlan, RootNeedsEveryPart) {
  const TestFolder folder;
  for (int i = 0; i < 4; ++i) folder.Write("f" + std::to_string(i), Noise(4000, i));
  const UploadPlan plan = UploadPlan::Scan(folder.path(), kSmall).value();
  ASSERT_EQ(plan.part_count(), 4u);
  for (uint32_t part = 0; part < 3; ++part) WireOf(plan, part, kTestDraft);
  EXPECT_EQ(plan.Root(kTestSalt).error().code, "upload.incomplete");
  WireOf(plan, 3, kTestDraft);
  EXPECT_TRUE(plan.Root(kTestSalt));
}

// An HTTP client that announced wire_size() never asks for more.
TEST(UploadPlan, APartIsReadOnceItsLastByteWasHandedOut) {
  const TestFolder folder;
  folder.Write("f", Noise(9, 1));
  const UploadPlan plan = UploadPlan::Scan(folder.path()).value();
  const auto reader = plan.OpenPart(0, kTestDraft).value();
  Bytes wire(reader->wire_size());
  ASSERT_EQ(reader->Read(wire).value(), wire.size());
  EXPECT_TRUE(Equal(reader->digest(), ByteView(wire).last(32)));
  EXPECT_TRUE(plan.Root(kTestSalt));
}

TEST(UploadPlan, TakesASingleFile) {
  const TestFolder folder;
  folder.Write("only.csv", AsBytes("a,b\n"));
  const UploadPlan plan = UploadPlan::Scan(folder.At("only.csv")).value();
  EXPECT_EQ(plan.counts(), (ContentCounts{.files = 1, .bytes = 4}));
  const Bytes wire = WireOf(plan, 0, kTestDraft);
  EXPECT_NE(AsText(wire).find("only.csv"), std::string_view::npos);
  EXPECT_EQ(AsText(wire).find(folder.path()), std::string_view::npos);
}

TEST(UploadPlan, AnEmptyFolderHasNoPart) {
  const TestFolder folder;
  const UploadPlan plan = UploadPlan::Scan(folder.path()).value();
  EXPECT_EQ(plan.part_count(), 0u);
  EXPECT_EQ(plan.Root(kTestSalt).value(), TreeHasher().Root());
}

TEST(UploadPlan, RefusesPipesByName) {
  const TestFolder folder;
  ASSERT_EQ(::mkfifo(folder.At("pipe").c_str(), 0600), 0);
  const auto plan = UploadPlan::Scan(folder.path());
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, "upload.refused_kind");
  EXPECT_NE(plan.error().message.find("pipe"), std::string::npos);
}

TEST(UploadPlan, RefusesLinksThatLeadOutsideByName) {
  const TestFolder folder;
  fs::create_symlink("/etc/passwd", folder.At("escape"));
  const auto plan = UploadPlan::Scan(folder.path());
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, "dataset.bad_link");
  EXPECT_NE(plan.error().message.find("escape"), std::string::npos);
}

TEST(UploadPlan, NoticesAFileThatChanges) {
  for (const size_t new_size : {10u, 8u, 0u, 9u}) {
    const TestFolder folder;
    folder.Write("f", Noise(9, 1));
    const UploadPlan plan = UploadPlan::Scan(folder.path()).value();
    folder.Write("f", Noise(new_size, 2));
    fs::last_write_time(folder.At("f"), fs::file_time_type::clock::now() + std::chrono::seconds(5));
    const auto reader = plan.OpenPart(0, kTestDraft).value();
    Bytes buffer(4096);
    const auto read = reader->Read(buffer);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, "upload.file_changed");
  }
}

TEST(UploadPlan, ReadsInAnySlices) {
  const TestFolder folder;
  folder.Write("a", Noise(3000, 1));
  folder.Write("b/c", Noise(100, 2));
  const UploadPlan plan = UploadPlan::Scan(folder.path()).value();
  const Bytes wire = WireOf(plan, 0, kTestDraft);
  const auto reader = plan.OpenPart(0, kTestDraft).value();
  Bytes again;
  uint8_t slice[7];
  while (true) {
    const size_t n = reader->Read(slice).value();
    if (n == 0) break;
    Append(again, ByteView(slice, n));
  }
  EXPECT_EQ(again, wire);
  EXPECT_TRUE(Equal(reader->digest(), ByteView(wire).last(32)));
}

}  // namespace
}  // namespace cce::dataset
