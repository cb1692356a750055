// What a warm verification leaves behind: nothing, however many quotes there were. A program of its
// own, since it looks at the whole heap.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "attest/tdx_layout.h"
#include "attest/test_platform.h"

namespace {
std::atomic<size_t> allocations;
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* const out = std::malloc(size)) return out;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace cce::attest {
namespace {

using testing::kNow;
using testing::TdxPlatform;

// Bytes of the heap that are in use, by C++ and by OpenSSL alike.
size_t InUse() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Less than two bytes for each of 10,000 quotes.
constexpr size_t kSlack = 16 << 10;

class WarmPath : public ::testing::Test {
 protected:
  WarmPath() {
    platform_.Build();
    policy_ = platform_.StrictPolicyOfTest();
    quote_ = platform_.quote;
    Verify(0, 1000);  // fills the cache, and what malloc keeps at hand
  }

  // Quotes that all differ: their number stands in REPORTDATA.
  void Verify(uint32_t first, uint32_t count) {
    for (uint32_t n = first; n < first + count; ++n) {
      const Evidence evidence = *ParseEvidence(Numbered(n));
      const Verdict verdict = verifier_.Verify(evidence, platform_.collateral, policy_, kNow,
                                               ExpectedBinding::WithoutReportData());
      ASSERT_TRUE(verdict.accepted);
    }
  }

  const Bytes& Numbered(uint32_t number) {
    const size_t signed_size = tdx::kHeaderSize + tdx::kTd10Size;
    uint8_t* const data = quote_.data() + tdx::kHeaderSize + tdx::kReportData.offset;
    for (size_t i = 0; i < 4; ++i) data[i] = static_cast<uint8_t>(number >> (8 * i));
    const Bytes signature =
        testing::SignRaw(platform_.attestation_key, ByteView(quote_).first(signed_size));
    std::copy(signature.begin(), signature.end(), quote_.begin() + signed_size + 4);
    return quote_;
  }

  TdxPlatform platform_;
  Policy policy_;
  Verifier verifier_;
  Bytes quote_;
};

TEST_F(WarmPath, KeepsNothingOfAQuote) {
  const size_t before = InUse();
  Verify(1000, 1000);
  const size_t after_1000 = InUse();
  Verify(2000, 10000);
  const size_t after_11000 = InUse();
  EXPECT_LT(after_1000, before + kSlack);
  EXPECT_LT(after_11000, after_1000 + kSlack);
}

TEST_F(WarmPath, AllocatesNoMoreForLaterQuotes) {
  size_t before = allocations;
  Verify(1000, 500);
  const size_t early = allocations - before;
  Verify(1500, 2000);
  before = allocations;
  Verify(3500, 500);
  EXPECT_EQ(allocations - before, early);
}

// The measure itself: 16 bytes kept of each quote would be seen.
TEST_F(WarmPath, WouldBeSeenToKeepSomething) {
  const size_t before = InUse();
  std::vector<std::unique_ptr<ByteArray<16>>> kept(1);
  for (size_t i = 0; i < 10000; ++i) kept.push_back(std::make_unique<ByteArray<16>>());
  EXPECT_GT(InUse(), before + kSlack);
}

// More platforms than the verifier remembers: what it keeps is bounded by its size.
TEST(Memory, OfManyPlatformsIsBounded) {
  const Verifier verifier(2);
  TdxPlatform platform;
  const auto verify_others = [&](int count) {
    for (int i = 0; i < count; ++i) {
      platform.Build();  // signatures anew: another question
      const Evidence evidence = *ParseEvidence(platform.quote);
      ASSERT_TRUE(verifier
                      .Verify(evidence, platform.collateral, platform.StrictPolicyOfTest(), kNow,
                              ExpectedBinding::WithoutReportData())
                      .accepted);
    }
  };
  verify_others(50);
  const size_t before = InUse();
  verify_others(100);
  // Kept all, 100 platforms would take 1 MiB and more.
  EXPECT_LT(InUse(), before + 16 * kSlack);
}

}  // namespace
}  // namespace cce::attest
