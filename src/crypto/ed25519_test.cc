#include "crypto/ed25519.h"

#include <gtest/gtest.h>

namespace cce::crypto {
namespace {

// RFC 8032 section 7.1, test 2.
TEST(Ed25519Test, Rfc8032) {
  const Bytes seed = *FromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  const Bytes message = {0x72};
  const auto key = Ed25519PublicFromSeed(seed);
  EXPECT_EQ(ToHex(*key), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const auto signature = Ed25519Sign(seed, message);
  EXPECT_EQ(ToHex(*signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  EXPECT_TRUE(Ed25519Verify(*key, message, *signature));
}

TEST(Ed25519Test, RefusesWhatDiffers) {
  const Bytes seed(32, 5);
  const auto key = Ed25519PublicFromSeed(seed).value();
  const auto signature = Ed25519Sign(seed, AsBytes("m")).value();
  EXPECT_EQ(Ed25519Verify(key, AsBytes("n"), signature).error().code, "crypto.bad_signature");
  EXPECT_EQ(Ed25519Verify(key, AsBytes("m"), ByteView(signature).first(63)).error().code,
            "crypto.bad_signature");
  for (size_t i = 0; i < 64; ++i) {
    auto bad = signature;
    bad[i] ^= 1;
    EXPECT_FALSE(Ed25519Verify(key, AsBytes("m"), bad)) << i;
  }
  EXPECT_EQ(Ed25519Verify(Bytes(31), AsBytes("m"), signature).error().code, "crypto.bad_key");
  EXPECT_EQ(Ed25519Sign(Bytes(33), AsBytes("m")).error().code, "crypto.bad_key");
}

// s + L instead of s: the same signature to a reader who does not check the range.
TEST(Ed25519Test, RefusesMalleableSignature) {
  const Bytes seed(32, 5);
  const auto key = Ed25519PublicFromSeed(seed).value();
  auto signature = Ed25519Sign(seed, AsBytes("m")).value();
  const Bytes order = *FromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (size_t i = 0; i < 32; ++i) {
    carry += signature[32 + i] + order[i];
    signature[32 + i] = static_cast<uint8_t>(carry);
    carry >>= 8;
  }
  EXPECT_EQ(Ed25519Verify(key, AsBytes("m"), signature).error().code, "crypto.bad_signature");
}

}  // namespace
}  // namespace cce::crypto
