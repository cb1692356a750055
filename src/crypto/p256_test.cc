#include "crypto/p256.h"

#include <gtest/gtest.h>

namespace cce::crypto {
namespace {

const char kOrder[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const char kPrime[] = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";

// RFC 6979 section A.2.5: the key, and its signature of "sample" with SHA-256.
P256PrivateKey SampleKey() {
  return P256PrivateKey::FromScalar(
             *FromHex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"))
      .value();
}
Bytes SampleSignature() {
  return *FromHex(
      "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
      "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
}
Bytes Joined(const Bytes& r, const Bytes& s) {
  Bytes out = r;
  Append(out, s);
  return out;
}

TEST(P256Test, PublishedKeyAndSignature) {
  const P256PrivateKey key = SampleKey();
  EXPECT_EQ(ToHex(key.public_key()),
            "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
            "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
  EXPECT_TRUE(P256Verify(key.public_key(), AsBytes("sample"), SampleSignature()));
}

TEST(P256Test, SignsAndVerifies) {
  const auto key = P256PrivateKey::Generate();
  ASSERT_TRUE(key);
  for (std::string_view message : {"", "a message"}) {
    const auto signature = key->Sign(AsBytes(message));
    EXPECT_TRUE(P256Verify(key->public_key(), AsBytes(message), *signature));
  }
  EXPECT_NE(key->public_key(), P256PrivateKey::Generate()->public_key());
}

TEST(P256Test, RefusesWhatDiffers) {
  const P256PrivateKey key = SampleKey();
  const Bytes good = SampleSignature();
  const auto code = [&](std::string_view message, ByteView signature) {
    const auto result = P256Verify(key.public_key(), AsBytes(message), signature);
    return result ? std::string("accepted") : result.error().code;
  };
  EXPECT_EQ(code("Sample", good), "crypto.bad_signature");
  for (size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= 0x80;
    EXPECT_EQ(code("sample", bad), "crypto.bad_signature") << i;
  }
  EXPECT_EQ(code("sample", ByteView(good).first(63)), "crypto.bad_signature");
  EXPECT_EQ(code("sample", Joined(good, {0})), "crypto.bad_signature");
  EXPECT_EQ(code("sample", {}), "crypto.bad_signature");
  const auto other = P256PrivateKey::Generate();
  EXPECT_FALSE(P256Verify(other->public_key(), AsBytes("sample"), good));
}

TEST(P256Test, RefusesNumbersOutOfRange) {
  const P256PrivateKey key = SampleKey();
  const Bytes order = *FromHex(kOrder), zero(32, 0), ones(32, 0xff);
  const Bytes good = SampleSignature();
  const Bytes good_r(good.begin(), good.begin() + 32), good_s(good.begin() + 32, good.end());
  for (const Bytes& bad : {zero, order, ones}) {
    for (const Bytes& signature : {Joined(bad, good_s), Joined(good_r, bad), Joined(bad, bad)}) {
      const auto result = P256Verify(key.public_key(), AsBytes("sample"), signature);
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().code, "crypto.bad_signature");
    }
  }
}

TEST(P256Test, RefusesBadPublicKeys) {
  const P256PrivateKey key = SampleKey();
  const Bytes good = ToBytes(key.public_key());
  Bytes off_curve = good;
  off_curve[64] ^= 1;
  Bytes compressed(good.begin(), good.begin() + 33);
  compressed[0] = 0x03;
  Bytes hybrid = good;
  hybrid[0] = 0x07;
  Bytes beyond_prime = {0x04};
  Append(beyond_prime, *FromHex(kPrime));
  Append(beyond_prime, *FromHex(kPrime));
  Bytes origin(65, 0);
  origin[0] = 0x04;
  const Bytes infinity = {0};
  for (const Bytes& bad : {off_curve, compressed, hybrid, beyond_prime, origin, infinity, Bytes{},
                           Joined(good, {0}), Bytes(good.begin(), good.end() - 1)}) {
    EXPECT_EQ(P256CheckPublicKey(bad).error().code, "crypto.bad_key") << ToHex(bad);
    EXPECT_EQ(P256Verify(bad, AsBytes("sample"), SampleSignature()).error().code, "crypto.bad_key");
    EXPECT_EQ(key.SharedSecret(bad).error().code, "crypto.bad_key");
  }
  EXPECT_TRUE(P256CheckPublicKey(good));
}

TEST(P256Test, RefusesBadScalars) {
  Bytes order = *FromHex(kOrder);
  EXPECT_EQ(P256PrivateKey::FromScalar(order).error().code, "crypto.bad_key");
  EXPECT_EQ(P256PrivateKey::FromScalar(Bytes(32, 0)).error().code, "crypto.bad_key");
  EXPECT_EQ(P256PrivateKey::FromScalar(Bytes(31, 1)).error().code, "crypto.bad_key");
  order[31] -= 1;
  EXPECT_TRUE(P256PrivateKey::FromScalar(order));
}

// NIST CAVP, KAS ECC CDH primitive, P-256, count 0.
TEST(P256Test, SharedSecret) {
  const auto key = P256PrivateKey::FromScalar(
      *FromHex("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534"));
  const auto secret = key->SharedSecret(
      *FromHex("04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
               "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac"));
  EXPECT_EQ(ToHex(secret->Expose()),
            "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b");
}

TEST(P256Test, DeriveNeedsAFullSeed) {
  EXPECT_EQ(P256PrivateKey::Derive(Bytes(31, 1)).error().code, "crypto.bad_key");
  EXPECT_EQ(P256PrivateKey::Derive(Bytes(32, 1))->public_key(),
            P256PrivateKey::Derive(Bytes(32, 1))->public_key());
  EXPECT_NE(P256PrivateKey::Derive(Bytes(32, 1))->public_key(),
            P256PrivateKey::Derive(Bytes(32, 2))->public_key());
}

}  // namespace
}  // namespace cce::crypto
