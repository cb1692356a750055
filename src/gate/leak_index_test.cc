#include "gate/leak_index.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/testing.h"
#include "gate/leak_lookup.h"
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

// What an opened index finds of a table's row.
bool FindsRow(const LeakIndex& index, const Cohort& people, size_t row) {
  const GateReport report =
      ReviewOne(index, {TextView("a.csv", ViewKind::kText, people.Line(row))});
  return Find(report, FindingClass::kRecords) != nullptr;
}

TEST(LeakIndex, IsReadPageByPage) {
  const Cohort people(5000);
  const LeakIndex index = IndexOf(people.Csv());
  EXPECT_GT(index.data().section(Section::kRare).pages.size(), 8u);
  EXPECT_TRUE(FindsRow(index, people, 17));
  // A lookup that may hold next to nothing finds the same.
  LeakLookup roomy(index), narrow(index, 1);
  for (uint32_t row = 0; row < 5000; row += 7) {
    narrow.Trim();
    EXPECT_EQ(narrow.Row(row).number, row + 1);
    EXPECT_EQ(roomy.Row(row).number, row + 1);
    EXPECT_EQ(narrow.Signature(row).size(), 9u);
  }
  narrow.Trim();
  EXPECT_EQ(narrow.memory(), 0u);
  EXPECT_FALSE(narrow.error());
}

TEST(LeakIndex, DoesNotHoldTheData) {
  const Cohort people(200);
  const Bytes index = IndexBytesOf(people.Csv());
  const std::string bytes(AsText(index));
  EXPECT_EQ(bytes.find(people.rows[5][0]), std::string::npos);
  EXPECT_EQ(bytes.find(people.rows[5][3]), std::string::npos);
}

TEST(LeakIndex, KeyAndVersionAreChecked) {
  Bytes bytes = IndexBytesOf(Cohort(50).Csv());
  EXPECT_EQ(OpenIndex(TestKey(8), bytes).error().code, "gate.index_key");
  EXPECT_EQ(OpenIndex(Bytes(16), bytes).error().code, "crypto.bad_key");
  bytes[7] = 9;
  EXPECT_EQ(OpenIndex(TestKey(), bytes).error().code, "gate.index_version");
  bytes[0] = 'X';
  EXPECT_EQ(OpenIndex(TestKey(), bytes).error().code, "gate.index_corrupt");
  EXPECT_FALSE(LeakIndexBuilder::New(Bytes(31)));
}

TEST(LeakIndex, KeysGiveOtherHashes) {
  const Cohort people(50);
  const LeakIndex index = IndexOf(people.Csv());
  auto builder = LeakIndexBuilder::New(TestKey(9));
  ASSERT_TRUE(builder->AddFile("people.csv", SourceOf(people.Csv())));
  const auto other = OpenIndex(TestKey(9), FinishToBytes(*builder));
  ASSERT_TRUE(other);
  const auto keys = [](const LeakIndex& of) {
    return of.data().ReadPage(Section::kRare, 0).value().keys.keys();
  };
  EXPECT_NE(keys(index), keys(*other));
}

TEST(LeakIndex, EveryPrefixIsRefused) {
  const Bytes bytes = IndexBytesOf(Cohort(30).Csv());
  for (size_t n = 0; n < bytes.size(); ++n) {
    ASSERT_FALSE(OpenIndex(TestKey(), ToBytes(ByteView(bytes).first(n)))) << n;
  }
}

// Changed bytes are refused or give an index that can be used without harm.
TEST(LeakIndex, HostileBytesDoNoHarm) {
  const Cohort people(30);
  const Bytes bytes = IndexBytesOf(people.Csv());
  std::mt19937 random(11);
  int opened = 0, held = 0;
  for (int round = 0; round < 2000; ++round) {
    Bytes changed = bytes;
    for (int i = 0; i < 3; ++i) {
      changed[16 + random() % (changed.size() - 16)] = static_cast<uint8_t>(random());
    }
    const auto index = OpenIndex(TestKey(), changed);
    if (!index) continue;
    ++opened;
    const GateReport report =
        ReviewOne(*index, {TextView("a.csv", ViewKind::kText, people.Line(3))});
    held += Find(report, FindingClass::kNoIndex) != nullptr;
  }
  EXPECT_GT(opened, 100);
  EXPECT_GT(held, 10);
}

// An index that cannot be read says nothing, and a person decides.
TEST(LeakIndex, AFailingReadIsHeld) {
  class Broken : public IndexBytes {
   public:
    using IndexBytes::IndexBytes;
    Result<> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
      if (broken) return Fail("io.failed", "gone");
      return IndexBytes::ReadAt(offset, out);
    }
    bool broken = false;
  };
  const Cohort people(100);
  const auto source = std::make_shared<Broken>(IndexBytesOf(people.Csv()));
  const auto index = LeakIndex::Open(TestKey(), source);
  ASSERT_TRUE(index);
  const std::vector<View> innocent = {TextView("a.txt", ViewKind::kText, "nothing of note here")};
  EXPECT_EQ(ReviewOne(*index, innocent).decision, Decision::kAutoApproved);
  source->broken = true;
  const GateReport report = ReviewOne(*index, innocent);
  EXPECT_EQ(report.decision, Decision::kNeedsHuman);
  ASSERT_NE(Find(report, FindingClass::kNoIndex), nullptr);
  EXPECT_NE(Find(report, FindingClass::kNoIndex)->message.find("io.failed"), std::string::npos);
}

TEST(LeakIndex, SizeIsBounded) {
  const Cohort people(4000);
  const LeakIndex index = IndexOf(people.Csv(), {.max_index = size_t{512} << 10});
  EXPECT_GT(index.stats().row_thinning, 0u);
  EXPECT_EQ(index.stats().rows, 4000u);
  // A leak of many rows is seen all the same.
  std::string half;
  for (size_t r = 0; r < 2000; ++r) half += people.Line(r) + "\n";
  EXPECT_NE(
      Find(ReviewOne(index, {TextView("a.csv", ViewKind::kTable, half)}), FindingClass::kRecords),
      nullptr);
}

// Tables, bytes and JSON: all that an index is made of.
Bytes MixedIndex(const LeakIndexOptions& options) {
  auto builder = LeakIndexBuilder::New(TestKey(), options);
  const Cohort people(3000), others(3000, 8);
  std::string coarse = "a,b,c,d\n";  // no rare value: rows are found by pairs
  std::mt19937 random(5);
  for (int i = 0; i < 4000; ++i) {
    for (const char* end : {",", ",", ",", "\n"}) coarse += std::to_string(random() % 40) + end;
  }
  std::string noise;
  for (int i = 0; i < 300'000; ++i) noise += static_cast<char>(random());
  for (const auto& [name, text] : std::map<std::string, std::string>{
           {"a.csv", people.Csv()}, {"b.csv", coarse}, {"c.bin", noise}, {"d.csv", others.Csv()}}) {
    EXPECT_TRUE(builder->AddFile(name, SourceOf(text)));
  }
  return FinishToBytes(*builder);
}

TEST(LeakIndex, SpilledEqualsHeld) {
  const TestFolder folder;
  for (const uint64_t max_index : {uint64_t{1} << 30, uint64_t{1} << 20}) {
    const Bytes held = MixedIndex({.max_index = max_index});
    const Bytes spilled = MixedIndex(
        {.scratch_folder = folder.path(), .memory = uint64_t{64} << 10, .max_index = max_index});
    EXPECT_EQ(held, spilled);
    const auto index = OpenIndex(TestKey(), held);
    ASSERT_TRUE(index);
    EXPECT_EQ(index->stats().row_thinning > 0, max_index < uint64_t{1} << 30);
    EXPECT_TRUE(std::ranges::any_of(index->data().section(Section::kPairs).pages,
                                    [](const PageAt& page) { return page.size > 0; }));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(LeakIndex, AFullScratchFolderIsAnError) {
  auto builder = LeakIndexBuilder::New(
      TestKey(), {.scratch_folder = "/nowhere", .memory = uint64_t{64} << 10});
  const auto added = builder->AddFile("people.csv", SourceOf(Cohort(5000).Csv()));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, "io.not_found");
}

TEST(LeakIndex, AFailingSourceIsAnError) {
  auto builder = LeakIndexBuilder::New(TestKey());
  const auto result = builder->AddFile(
      "a", [](std::span<uint8_t>) -> Result<size_t> { return Fail("io.failed", "broken"); });
  EXPECT_EQ(result.error().code, "io.failed");
}

}  // namespace
}  // namespace cce::gate
