// What building and using a leak index hold: counted at the allocator, in bytes.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "base/testing.h"
#include "gate/index_builder.h"
#include "gate/leak_lookup.h"
#include "gate/test_data.h"

namespace {

std::atomic<size_t> held = 0, most = 0;

void* Count(void* memory) {
  if (memory == nullptr) std::abort();
  const size_t now = held += malloc_usable_size(memory);
  size_t before = most;
  while (before < now && !most.compare_exchange_weak(before, now)) {
  }
  return memory;
}

void Forget(void* memory) {
  held -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) { return Count(std::malloc(size)); }
void operator delete(void* memory) noexcept { Forget(memory); }
void operator delete(void* memory, size_t) noexcept { Forget(memory); }

namespace cce::gate {
namespace {

// The most bytes that `what` held at once, over what was held before.
template <typename F>
size_t PeakOf(F&& what) {
  const size_t before = held;
  most = before;
  what();
  return most - before;
}

// So many files: tables of people, tables without a rare value, and bytes.
std::vector<std::string> FilesFor(size_t seed) {
  const Cohort people(100, static_cast<uint32_t>(seed));
  std::string coarse = "a,b,c,d\n", noise;
  std::mt19937_64 random(seed);
  for (int i = 0; i < 300; ++i) {
    for (const char* end : {",", ",", ",", "\n"}) coarse += std::to_string(random() % 40) + end;
  }
  for (int i = 0; i < 4000; ++i) {
    const uint64_t word = random();
    noise.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  return {people.Csv(), coarse, noise};
}

struct Built {
  size_t peak = 0;
  LeakIndexStats stats;
  Bytes bytes;
};

Built BuildOf(size_t times, const LeakIndexOptions& options, bool keep) {
  Built out;
  out.peak = PeakOf([&] {
    auto builder = LeakIndexBuilder::New(TestKey(), options);
    size_t files = 0;  // the test's own
    for (size_t i = 0; i < times; ++i) {
      for (const std::string& text : FilesFor(i)) {
        const std::string name = std::to_string(files++) + ".csv";
        EXPECT_TRUE(builder->AddFile(name, SourceOf(text)));
      }
    }
    out.stats = Must(builder->Finish([&](ByteView piece) -> Result<> {
      if (keep) Append(out.bytes, piece);
      return {};
    }));
  });
  return out;
}

constexpr size_t kMemory = size_t{1} << 20;
constexpr size_t kMaxIndex = 16 * kMemory;
// Buffers, which double as they grow; a block for each run that is merged; samples and one file.
constexpr size_t kBound = 2 * kMemory + 2 * (kMaxIndex / kMemory) * kScratchBlock + (1 << 20);

TEST(BuildMemory, IsFlatHoweverManyFiles) {
  const TestFolder folder;
  const LeakIndexOptions options{
      .scratch_folder = folder.path(), .memory = kMemory, .max_index = kMaxIndex};
  const Built some = BuildOf(100, options, false);
  const Built many = BuildOf(500, options, false);
  EXPECT_EQ(some.stats.files * 5, many.stats.files);
  EXPECT_EQ(some.stats.row_thinning, 0u);
  EXPECT_GT(some.stats.postings * sizeof(Entry), 2 * kMemory) << "nothing was spilled";
  EXPECT_GT(many.stats.row_thinning + many.stats.shingle_thinning, 0u);
  EXPECT_LT(some.peak, kBound);
  EXPECT_LT(many.peak, kBound);
}

// The same, and a review besides, which reads an index of many times its budget.
TEST(BuildMemory, AReviewHoldsItsBudget) {
  const TestFolder folder;
  Built built = BuildOf(100, {.scratch_folder = folder.path(), .memory = kMemory}, true);
  const size_t size = built.bytes.size();
  const auto index = OpenIndex(TestKey(), std::move(built.bytes));
  ASSERT_TRUE(index);
  ASSERT_GT(size, 3 * kMemory);
  const uint32_t rows = index->data().rows;
  const size_t peak = PeakOf([&] {
    LeakLookup lookup(*index, kMemory);
    std::mt19937_64 random(3);
    for (int i = 0; i < 100'000; ++i) {
      lookup.Trim();
      (void)lookup.Rare(random());
      (void)lookup.HasShingle(random());
      EXPECT_GT(lookup.Row(static_cast<uint32_t>(random() % rows)).number, 0u);
    }
    EXPECT_FALSE(lookup.error());
    EXPECT_GT(lookup.memory(), kMemory / 2);
  });
  EXPECT_LT(peak, 3 * kMemory / 2);
}

}  // namespace
}  // namespace cce::gate
