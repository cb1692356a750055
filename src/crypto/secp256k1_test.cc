#include "crypto/secp256k1.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"

namespace cce::crypto {
namespace {

const char kOrder[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

SecretBytes Key() { return SecretBytes::CopyOf(Bytes(32, 0x46)); }
Bytes Digest() { return ToBytes(Sha256(AsBytes("digest"))); }

// n - s, which verifies like s where nobody checks.
void FlipS(EthSignature& signature) {
  const Bytes order = *FromHex(kOrder);
  int borrow = 0;
  for (int i = 31; i >= 0; --i) {
    const int d = order[i] - signature[32 + i] - borrow;
    borrow = d < 0;
    signature[32 + i] = static_cast<uint8_t>(d);
  }
  signature[64] ^= 27 ^ 28;
}

TEST(Secp256k1Test, RecoversTheSigner) {
  for (int i = 0; i < 20; ++i) {
    const SecretBytes key = RandomSecret(32);
    const Bytes digest = RandomBytes(32);
    EthSignature signature = EthSignDigest(key, digest).value();
    EXPECT_EQ(*EthRecover(digest, signature), *EthAddressOf(key));
    signature[64] -= 27;
    EXPECT_EQ(*EthRecover(digest, signature), *EthAddressOf(key));
  }
}

TEST(Secp256k1Test, RefusesHighS) {
  EthSignature signature = EthSignDigest(Key(), Digest()).value();
  FlipS(signature);
  const auto result = EthRecover(Digest(), signature);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "crypto.bad_signature");
  FlipS(signature);
  EXPECT_TRUE(EthRecover(Digest(), signature));
}

TEST(Secp256k1Test, RefusesOtherForms) {
  const EthSignature good = EthSignDigest(Key(), Digest()).value();
  for (int v : {2, 3, 26, 29, 30, 31, 37, 255}) {
    EthSignature bad = good;
    bad[64] = static_cast<uint8_t>(v);
    EXPECT_EQ(EthRecover(Digest(), bad).error().code, "crypto.bad_signature") << v;
  }
  EXPECT_EQ(EthRecover(Digest(), ByteView(good).first(64)).error().code, "crypto.bad_signature");
  EXPECT_EQ(EthRecover(Bytes(31), good).error().code, "crypto.failed");
  for (size_t half : {size_t{0}, size_t{32}}) {
    EthSignature zero = good, order = good;
    std::fill_n(zero.begin() + half, 32, 0);
    const Bytes n = *FromHex(kOrder);
    std::copy(n.begin(), n.end(), order.begin() + half);
    EXPECT_EQ(EthRecover(Digest(), zero).error().code, "crypto.bad_signature");
    EXPECT_EQ(EthRecover(Digest(), order).error().code, "crypto.bad_signature");
  }
}

TEST(Secp256k1Test, AnotherDigestRecoversAnotherAddress) {
  const EthSignature signature = EthSignDigest(Key(), Digest()).value();
  const auto other = EthRecover(Sha256(AsBytes("other")), signature);
  EXPECT_TRUE(!other || *other != *EthAddressOf(Key()));
}

TEST(Secp256k1Test, RefusesBadKeys) {
  for (const Bytes& bad : {Bytes(32, 0), Bytes(31, 1), *FromHex(kOrder), Bytes{}}) {
    EXPECT_EQ(EthAddressOf(SecretBytes::CopyOf(bad)).error().code, "crypto.bad_key");
    EXPECT_EQ(EthSignDigest(SecretBytes::CopyOf(bad), Digest()).error().code, "crypto.bad_key");
  }
}

}  // namespace
}  // namespace cce::crypto
