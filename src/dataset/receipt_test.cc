#include "dataset/receipt.h"

#include <gtest/gtest.h>

#include "dataset/dataset_fixture.h"
#include "dataset/memory_store.h"

namespace cce::dataset {
namespace {

Receipt ReceiptOf(const std::string& path) {
  MemoryStore store;
  const SnapshotInfo info = UploadFolder(store, path).value();
  return {.dataset = kTestDataset,
          .draft = kTestDraft,
          .snapshot = info.snapshot,
          .epoch = kTestEpoch,
          .counts = info.counts,
          .salt = kTestSalt,
          .root = info.root,
          .time = 1'800'000'000};
}

TEST(Receipt, SurvivesItsText) {
  const TestFolder folder;
  folder.Write("a", AsBytes("x"));
  const Receipt receipt = ReceiptOf(folder.path());
  const Receipt back = ReceiptFromJson(ReceiptToJson(receipt)).value();
  EXPECT_EQ(ReceiptToJson(back), ReceiptToJson(receipt));
  EXPECT_EQ(back.root, receipt.root);
  EXPECT_EQ(back.counts, receipt.counts);
  EXPECT_EQ(back.time, receipt.time);
}

TEST(Receipt, RefusesUnknownMembersAndTypes) {
  const TestFolder folder;
  std::string text = ReceiptToJson(ReceiptOf(folder.path()));
  EXPECT_FALSE(ReceiptFromJson("{\"x\":1," + text.substr(1)));
  text.replace(text.find("upload-receipt"), 6, "UPLOAD");
  EXPECT_FALSE(ReceiptFromJson(text));
  EXPECT_FALSE(ReceiptFromJson(""));
}

TEST(CheckReceipt, AcceptsTheFolderAndItsPlainCopy) {
  const TestFolder folder;
  folder.Write("a/b", Noise(100000, 1));
  folder.Write("c", {});
  std::filesystem::create_symlink("c", folder.At("l"));
  const Receipt receipt = ReceiptOf(folder.path());
  EXPECT_TRUE(CheckReceipt(folder.path(), receipt));
  const TestFolder copy;
  std::filesystem::copy(
      folder.path(), copy.path(),
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  EXPECT_TRUE(CheckReceipt(copy.path(), receipt, 4));
}

TEST(CheckReceipt, NoticesEveryChange) {
  const TestFolder folder;
  folder.Write("a", AsBytes("one"));
  folder.Write("b", AsBytes("two"));
  const Receipt receipt = ReceiptOf(folder.path());
  const auto expect_mismatch = [&] {
    const auto checked = CheckReceipt(folder.path(), receipt, 2);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, "dataset.receipt_mismatch");
  };
  folder.Write("b", AsBytes("twO"));
  expect_mismatch();
  folder.Write("b", AsBytes("two"));
  EXPECT_TRUE(CheckReceipt(folder.path(), receipt));
  folder.Write("c", {});
  expect_mismatch();
  std::filesystem::remove(folder.At("c"));
  std::filesystem::rename(folder.At("b"), folder.At("B"));
  expect_mismatch();
}

}  // namespace
}  // namespace cce::dataset
