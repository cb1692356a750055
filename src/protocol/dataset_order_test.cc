#include "protocol/dataset_order.h"

#include <gtest/gtest.h>

namespace cce::protocol {
namespace {

DatasetOrder Order(std::string action, SnapshotId snapshot = {}) {
  return {.action = std::move(action),
          .snapshot = snapshot,
          .number = 3,
          .signer = {0xaa},
          .signature = Bytes(65, 7)};
}

Result<DatasetOrder> Sent(const DatasetOrder& order) {
  return ReadDatasetOrder(cce::ToJson(ToJsonObject(order)));
}

TEST(DatasetOrder, ArrivesAsItWasSent) {
  const DatasetOrder order = Sent(Order("delete", {9})).value();
  EXPECT_EQ(order.action, "delete");
  EXPECT_EQ(order.snapshot, SnapshotId{9});
  EXPECT_EQ(order.number, 3U);
  EXPECT_EQ(order.signer, Wallet{0xaa});
  EXPECT_EQ(order.signature, Bytes(65, 7));
}

TEST(DatasetOrder, NamesASnapshotExactlyWhereItMay) {
  EXPECT_TRUE(Sent(Order("delete")));
  EXPECT_TRUE(Sent(Order("rotate")));
  EXPECT_TRUE(Sent(Order("abandon")));
  EXPECT_TRUE(Sent(Order("verify", {9})));
  for (const auto& [action, snapshot] :
       {std::pair("verify", SnapshotId{}), std::pair("rotate", SnapshotId{9}),
        std::pair("abandon", SnapshotId{9}), std::pair("burn", SnapshotId{})}) {
    EXPECT_EQ(Sent(Order(action, snapshot)).error().code, "input.malformed") << action;
  }
}

TEST(DatasetOrder, TheSummaryTellsWhatIsSigned) {
  EXPECT_NE(OrderSummary({1}, Order("delete")), OrderSummary({2}, Order("delete")));
  EXPECT_NE(OrderSummary({1}, Order("delete")), OrderSummary({1}, Order("delete", {9})));
  EXPECT_NE(OrderSummary({1}, Order("delete", {8})), OrderSummary({1}, Order("delete", {9})));
  EXPECT_NE(OrderSummary({1}, Order("rotate")), OrderSummary({1}, Order("abandon")));
}

TEST(DeletionReceipt, ComesBackAndRefusesWhatItIsNot) {
  const DeletionReceipt receipt{.dataset = {1},
                                .number = 4,
                                .whole = true,
                                .snapshots = {{2}, {3}},
                                .epochs = {1, 7},
                                .entry = 99,
                                .time = 1700000000,
                                .undone_by = {"the root key lies in a file"},
                                .freshness = "contract 0x00 on chain 1"};
  const std::string text = ToJson(receipt);
  const DeletionReceipt back = ReadDeletionReceipt(text).value();
  EXPECT_EQ(ToJson(back), text);
  EXPECT_EQ(back.epochs, (std::vector<uint32_t>{1, 7}));
  std::string other = text;
  other.replace(other.find("deletion-receipt"), 8, "creation");
  EXPECT_EQ(ReadDeletionReceipt(other).error().code, "input.malformed");
  EXPECT_FALSE(ReadDeletionReceipt("{}"));
}

}  // namespace
}  // namespace cce::protocol
