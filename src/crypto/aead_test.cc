#include "crypto/aead.h"

#include <gtest/gtest.h>

#include <thread>

#include "crypto/aead_backends.h"
#include "crypto/hash.h"

namespace cce::crypto {
namespace {

Bytes Seal(const Aead& aead, ByteView nonce, ByteView aad, ByteView plaintext) {
  Bytes out(plaintext.size() + kAeadTagSize);
  EXPECT_TRUE(aead.Seal(nonce, aad, plaintext, out));
  return out;
}

class AeadTest : public testing::TestWithParam<AeadBackend> {
 protected:
  void SetUp() override {
    if (GetParam() == AeadBackend::kIpsecMb && !IpsecMbUsable()) GTEST_SKIP() << "no VAES here";
  }
  std::unique_ptr<Aead> New(ByteView key) { return NewAead(key, GetParam()).value(); }
};

// "The Galois/Counter Mode of Operation" (McGrew, Viega), test cases 13 to 16.
TEST_P(AeadTest, PublishedVectors) {
  const auto zero = New(Bytes(32, 0));
  const Bytes nonce(12, 0);
  EXPECT_EQ(ToHex(Seal(*zero, nonce, {}, {})), "530f8afbc74536b9a963b4f1c4cb738b");
  EXPECT_EQ(ToHex(Seal(*zero, nonce, {}, Bytes(16, 0))),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
  const auto key =
      New(*FromHex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
  const Bytes plaintext = *FromHex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
      "b525b16aedf5aa0de657ba637b39");
  EXPECT_EQ(
      ToHex(Seal(*key, *FromHex("cafebabefacedbaddecaf888"),
                 *FromHex("feedfacedeadbeeffeedfacedeadbeefabaddad2"), plaintext)),
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056"
      "828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
}

TEST_P(AeadTest, InPlace) {
  const auto aead = New(RandomBytes(32));
  const Bytes nonce = RandomBytes(12), plaintext = RandomBytes(70001), aad = RandomBytes(48);
  const Bytes apart = Seal(*aead, nonce, aad, plaintext);
  Bytes buffer = plaintext;
  buffer.resize(plaintext.size() + kAeadTagSize);
  ASSERT_TRUE(aead->Seal(nonce, aad, ByteView(buffer).first(plaintext.size()), buffer));
  EXPECT_EQ(buffer, apart);
  ASSERT_TRUE(aead->Open(nonce, aad, buffer, std::span(buffer).first(plaintext.size())));
  buffer.resize(plaintext.size());
  EXPECT_EQ(buffer, plaintext);
}

TEST_P(AeadTest, AnyChangeIsRefusedAndNothingLeaks) {
  const auto aead = New(RandomBytes(32));
  const Bytes nonce = RandomBytes(12), aad = RandomBytes(5), plaintext = RandomBytes(37);
  const Bytes sealed = Seal(*aead, nonce, aad, plaintext);
  Bytes out(plaintext.size(), 0xee);
  const auto refused = [&](const Aead& with, ByteView n, ByteView a, ByteView c) {
    out.assign(out.size(), 0xee);
    const auto result = with.Open(n, a, c, out);
    return !result && result.error().code == "crypto.decrypt_failed" && out == Bytes(out.size(), 0);
  };
  for (size_t bit = 0; bit < sealed.size() * 8; bit += 3) {
    Bytes bad = sealed;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_TRUE(refused(*aead, nonce, aad, bad)) << bit;
  }
  Bytes bad_nonce = nonce, bad_aad = aad;
  bad_nonce[0] ^= 1;
  bad_aad[4] ^= 1;
  EXPECT_TRUE(refused(*aead, bad_nonce, aad, sealed));
  EXPECT_TRUE(refused(*aead, nonce, bad_aad, sealed));
  EXPECT_TRUE(refused(*aead, nonce, {}, sealed));
  EXPECT_TRUE(refused(*New(RandomBytes(32)), nonce, aad, sealed));
}

TEST_P(AeadTest, WrongSizesAreRefused) {
  const auto aead = New(Bytes(32, 7));
  Bytes out(20);
  EXPECT_EQ(aead->Seal(Bytes(11), {}, Bytes(4), out).error().code, "crypto.failed");
  EXPECT_EQ(aead->Seal(Bytes(12), {}, Bytes(5), out).error().code, "crypto.failed");
  EXPECT_EQ(aead->Open(Bytes(12), {}, Bytes(15), {}).error().code, "crypto.decrypt_failed");
  EXPECT_EQ(aead->Open(Bytes(12), {}, Bytes(20), out).error().code, "crypto.failed");
  EXPECT_EQ(NewAead(Bytes(16), GetParam()).error().code, "crypto.bad_key");
}

TEST_P(AeadTest, OneObjectServesManyThreads) {
  const auto aead = New(Bytes(32, 9));
  const Bytes plaintext = RandomBytes(4096), nonce(12, 3);
  const Bytes expected = Seal(*aead, nonce, {}, plaintext);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) wrong += Seal(*aead, nonce, {}, plaintext) != expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Backends, AeadTest,
                         testing::Values(AeadBackend::kOpenSsl, AeadBackend::kIpsecMb));

TEST(AeadBackendsTest, GiveEqualBytes) {
  if (!IpsecMbUsable()) GTEST_SKIP() << "no VAES here";
  for (size_t size = 0; size < 1200; size += 1 + size / 16) {
    const Bytes key = RandomBytes(32), nonce = RandomBytes(12), aad = RandomBytes(size % 67),
                plaintext = RandomBytes(size);
    const auto a = NewAead(key, AeadBackend::kOpenSsl), b = NewAead(key, AeadBackend::kIpsecMb);
    const Bytes sealed = Seal(**a, nonce, aad, plaintext);
    EXPECT_EQ(sealed, Seal(**b, nonce, aad, plaintext)) << size;
    Bytes opened(size);
    EXPECT_TRUE((*b)->Open(nonce, aad, sealed, opened));
    EXPECT_EQ(opened, plaintext);
  }
}

TEST(AeadMessageTest, RandomNonceStandsInFront) {
  const auto aead = NewAead(RandomBytes(32)).value();
  const Bytes message = *SealWithRandomNonce(*aead, AsBytes("aad"), AsBytes("text"));
  EXPECT_EQ(message.size(), 12u + 4 + 16);
  EXPECT_EQ(AsText(OpenWithNonce(*aead, AsBytes("aad"), message)->Expose()), "text");
  EXPECT_NE(message, *SealWithRandomNonce(*aead, AsBytes("aad"), AsBytes("text")));
  EXPECT_EQ(OpenWithNonce(*aead, AsBytes("aae"), message).error().code, "crypto.decrypt_failed");
  EXPECT_EQ(OpenWithNonce(*aead, AsBytes("aad"), ByteView(message).first(27)).error().code,
            "crypto.decrypt_failed");
}

}  // namespace
}  // namespace cce::crypto
