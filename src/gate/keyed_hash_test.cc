#include "gate/keyed_hash.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <barrier>
#include <numeric>
#include <thread>

#include "gate/siphash.h"
#include "gate/test_data.h"

namespace cce::gate {
namespace {

Bytes Counting(size_t n) {
  Bytes out(n);
  std::iota(out.begin(), out.end(), uint8_t{0});
  return out;
}

uint64_t OpenSslSipHash13(ByteView key, ByteView data) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  size_t size = 8;
  unsigned int c_rounds = 1, d_rounds = 3;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                               OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c_rounds),
                               OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d_rounds),
                               OSSL_PARAM_construct_end()};
  uint8_t out[8] = {};
  EXPECT_EQ(EVP_MAC_init(context, key.data(), key.size(), params), 1);
  EXPECT_EQ(EVP_MAC_update(context, data.data(), data.size()), 1);
  EXPECT_EQ(EVP_MAC_final(context, out, &size, sizeof out), 1);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  return ReadU64(out);
}

TEST(SipHash13, IsOpenSsls) {
  const Bytes key = Counting(16);
  for (size_t n = 0; n < 300; ++n) {
    const Bytes data = Counting(n);
    const uint64_t expected = OpenSslSipHash13(key, data);
    for (const size_t cut : {size_t{0}, n / 3, n / 2, n}) {
      SipHash13 sip(key.data());
      sip.Bytes(ByteView(data).first(cut));
      sip.Bytes(ByteView(data).subspan(cut));
      EXPECT_EQ(sip.Finish(), expected) << n << " cut at " << cut;
    }
    SipHash13 bytewise(key.data());
    for (const uint8_t b : data) bytewise.Byte(b);
    EXPECT_EQ(bytewise.Finish(), expected) << n;
  }
}

TEST(KeyedHash, HashesTheDocumentedBytes) {
  const Bytes key = Counting(32);
  const KeyedHash hash = *KeyedHash::New(key);
  const auto expected = [&](const char* hex) {
    return OpenSslSipHash13(ByteView(key).first(16), *FromHex(hex));
  };
  EXPECT_EQ(hash(KeyKind::kCheck, Counting(3)), expected("07000102"));
  Canon cell;
  ASSERT_TRUE(Canonicalise("-73.50", cell));
  EXPECT_EQ(hash.Cell(KeyKind::kExact, cell), expected("010200000000000002dfffffffffffffffff"));
  ASSERT_TRUE(Canonicalise("Male", cell));
  EXPECT_EQ(hash.Cell(KeyKind::kExact, cell), expected("01006d616c65"));
  EXPECT_EQ(hash.Pair(2, 1), expected("0400000000000000010000000000000002"));
  std::vector<uint64_t> cells = {2, 1};
  EXPECT_EQ(hash.Row(cells), expected("0500000000000000010000000000000002"));
}

TEST(KeyedHash, AShortKeyIsAnError) {
  const auto hash = KeyedHash::New(Counting(15));
  ASSERT_FALSE(hash);
  EXPECT_EQ(hash.error().code, "crypto.bad_key");
}

// One hash, and one index, by many threads at once: each gets what one thread gets alone.
TEST(KeyedHash, ManyThreadsAgree) {
  constexpr size_t kThreads = 8, kRounds = 20'000;
  const KeyedHash hash = *KeyedHash::New(Counting(32));
  const auto run = [&] {
    uint64_t sum = 0;
    Canon cell;
    for (size_t i = 0; i < kRounds; ++i) {
      Canonicalise(std::to_string(i), cell);
      const uint64_t key = hash.Cell(KeyKind::kExact, cell);
      std::vector<uint64_t> row = {key, i, sum};
      sum += hash.Pair(key, sum) ^ hash.Row(row) ^ hash(KeyKind::kShingle, Counting(24));
    }
    return sum;
  };
  const uint64_t expected = run();
  std::vector<uint64_t> sums(kThreads);
  std::barrier start(kThreads);
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        start.arrive_and_wait();
        sums[t] = run();
      });
    }
  }
  for (const uint64_t sum : sums) EXPECT_EQ(sum, expected);
}

TEST(KeyedHash, ReviewsMayRunSideBySide) {
  constexpr size_t kThreads = 6;
  const Cohort people(300);
  const LeakIndex index = IndexOf(people.Csv());
  const View leak = TextView("a.csv", ViewKind::kTable,
                             people.Header() + "\n" + people.Line(5) + "\n" + people.Line(8));
  const std::string expected = ToJson(ToOwnerJson(ReviewOne(index, {leak}), 0));
  std::vector<std::string> reports(kThreads);
  std::barrier start(kThreads);
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        start.arrive_and_wait();
        for (int i = 0; i < 20; ++i) reports[t] = ToJson(ToOwnerJson(ReviewOne(index, {leak}), 0));
      });
    }
  }
  for (const std::string& report : reports) EXPECT_EQ(report, expected);
}

}  // namespace
}  // namespace cce::gate
