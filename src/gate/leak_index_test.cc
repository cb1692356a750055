#include "gate/leak_index.h"

#include <gtest/gtest.h>

#include "gate/index_data.h"
#include "gate/test_data.h"

namespace cce::gate {
namespace {

TEST(LeakIndex, CountsWhatItRead) {
  const Cohort people(500);
  const LeakIndex index = IndexOf(people.Csv());
  EXPECT_EQ(index.stats().rows, 500u);
  EXPECT_EQ(index.stats().columns, 9u);
  EXPECT_EQ(index.stats().tables, 1u);
  EXPECT_GT(index.stats().shingles, 100u);
  EXPECT_GT(index.data().tables[0].row_bits, 30);
}

TEST(LeakIndex, JsonLinesAreRows) {
  std::string lines;
  for (int i = 0; i < 100; ++i) {
    lines +=
        "{\"id\": " + std::to_string(1000 + 7 * i) + ", \"v\": " + std::to_string(i) + ".25}\n";
  }
  const LeakIndex index = IndexOf(lines);
  EXPECT_EQ(index.stats().rows, 100u);
  EXPECT_EQ(index.stats().columns, 2u);
}

TEST(LeakIndex, OtherFilesAreIndexedByBytes) {
  std::mt19937 random(3);
  std::string noise;
  for (int i = 0; i < 5000; ++i) noise += static_cast<char>(random());
  const LeakIndex index = IndexOf(noise);
  EXPECT_EQ(index.stats().rows, 0u);
  EXPECT_GT(index.stats().shingles, 100u);
  EXPECT_EQ(IndexOf("").stats().shingles, 0u);
}

TEST(LeakIndex, SerialisesExactly) {
  const Cohort people(200);
  const LeakIndex index = IndexOf(people.Csv());
  const Bytes bytes = index.Serialize();
  const auto again = LeakIndex::Deserialize(TestKey(), bytes);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->Serialize(), bytes);
  const GateReport report =
      ReviewOne(*again, {TextView("a.csv", ViewKind::kText, people.Line(17))});
  EXPECT_NE(Find(report, FindingClass::kRecords), nullptr);
}

TEST(LeakIndex, DoesNotHoldTheData) {
  const Cohort people(200);
  const std::string bytes(AsText(IndexOf(people.Csv()).Serialize()));
  EXPECT_EQ(bytes.find(people.rows[5][0]), std::string::npos);
  EXPECT_EQ(bytes.find(people.rows[5][3]), std::string::npos);
}

TEST(LeakIndex, KeyAndVersionAreChecked) {
  Bytes bytes = IndexOf(Cohort(50).Csv()).Serialize();
  EXPECT_EQ(LeakIndex::Deserialize(TestKey(8), bytes).error().code, "gate.index_key");
  EXPECT_EQ(LeakIndex::Deserialize(Bytes(16), bytes).error().code, "crypto.bad_key");
  bytes[7] = 9;
  EXPECT_EQ(LeakIndex::Deserialize(TestKey(), bytes).error().code, "gate.index_version");
  bytes[0] = 'X';
  EXPECT_EQ(LeakIndex::Deserialize(TestKey(), bytes).error().code, "gate.index_corrupt");
  EXPECT_FALSE(LeakIndexBuilder::New(Bytes(31)));
}

TEST(LeakIndex, KeysGiveOtherHashes) {
  const std::string csv = Cohort(50).Csv();
  auto builder = LeakIndexBuilder::New(TestKey(9));
  ASSERT_TRUE(builder->AddFile("people.csv", SourceOf(csv)));
  EXPECT_NE(builder->Finish()->data().rare.keys.keys(), IndexOf(csv).data().rare.keys.keys());
}

TEST(LeakIndex, EveryPrefixIsRefused) {
  const Bytes bytes = IndexOf(Cohort(30).Csv()).Serialize();
  for (size_t n = 0; n < bytes.size(); ++n) {
    ASSERT_FALSE(LeakIndex::Deserialize(TestKey(), ByteView(bytes).first(n))) << n;
  }
}

// Changed bytes are refused or give an index that can be used without harm.
TEST(LeakIndex, HostileBytesDoNoHarm) {
  const Cohort people(30);
  const Bytes bytes = IndexOf(people.Csv()).Serialize();
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    Bytes changed = bytes;
    for (int i = 0; i < 3; ++i)
      changed[16 + random() % (changed.size() - 16)] = static_cast<uint8_t>(random());
    const auto index = LeakIndex::Deserialize(TestKey(), changed);
    if (index) ReviewOne(*index, {TextView("a.csv", ViewKind::kText, people.Line(3))});
  }
}

TEST(LeakIndex, MemoryIsBounded) {
  const Cohort people(4000);
  const LeakIndex index = IndexOf(people.Csv(), {.max_memory = size_t{512} << 10});
  EXPECT_GT(index.stats().row_thinning, 0u);
  EXPECT_EQ(index.stats().rows, 4000u);
  ASSERT_TRUE(LeakIndex::Deserialize(TestKey(), index.Serialize()));
  // A leak of many rows is seen all the same.
  std::string half;
  for (size_t r = 0; r < 2000; ++r) half += people.Line(r) + "\n";
  EXPECT_NE(
      Find(ReviewOne(index, {TextView("a.csv", ViewKind::kTable, half)}), FindingClass::kRecords),
      nullptr);
}

TEST(LeakIndex, AFailingSourceIsAnError) {
  auto builder = LeakIndexBuilder::New(TestKey());
  const auto result = builder->AddFile(
      "a", [](std::span<uint8_t>) -> Result<size_t> { return Fail("io.failed", "broken"); });
  EXPECT_EQ(result.error().code, "io.failed");
}

}  // namespace
}  // namespace cce::gate
