#include "crypto/hpke.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "crypto/hpke_schedule.h"

namespace cce::crypto {
namespace {

Bytes Hex(std::string_view text) { return FromHex(text).value(); }

// RFC 9180 appendix A.3.1: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode.
const Bytes kInfo = Hex("4f6465206f6e2061204772656369616e2055726e");
const Bytes kSeedE = Hex("4270e54ffd08d79d5928020af4686d8f6b7d35dbe470265f1f5aa22816ce860e");
const Bytes kSeedR = Hex("668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550");
const Bytes kShared = Hex("c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8");

TEST(HpkeTest, DeriveKeyPair) {
  const auto ephemeral = P256PrivateKey::Derive(kSeedE);
  EXPECT_EQ(ToHex(ephemeral->ExposeScalar().Expose()),
            "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb");
  EXPECT_EQ(ToHex(ephemeral->public_key()),
            "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac9"
            "8536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4");
  const auto recipient = P256PrivateKey::Derive(kSeedR);
  EXPECT_EQ(ToHex(recipient->ExposeScalar().Expose()),
            "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2");
  EXPECT_EQ(ToHex(recipient->public_key()),
            "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a82"
            "6a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0");
}

TEST(HpkeTest, Encapsulation) {
  const auto ephemeral = P256PrivateKey::Derive(kSeedE), recipient = P256PrivateKey::Derive(kSeedR);
  EXPECT_EQ(ToBytes(KemEncap(*ephemeral, recipient->public_key())->Expose()), kShared);
  EXPECT_EQ(ToBytes(KemDecap(*recipient, ephemeral->public_key())->Expose()), kShared);
}

TEST(HpkeTest, KeySchedule) {
  const HpkeKeys keys = KeySchedule(HpkeAead::kAes128Gcm, kShared, kInfo);
  EXPECT_EQ(ToHex(keys.key.Expose()), "868c066ef58aae6dc589b6cfdd18f97e");
  EXPECT_EQ(ToHex(keys.base_nonce.Expose()), "4e0bc5018beba4bf004cca59");
  EXPECT_EQ(ToHex(keys.exporter_secret.Expose()),
            "14ad94af484a7ad3ef40e9f3be99ecc6fa9036df9d4920548424df127ee0d99f");
  const HpkeKeys ours = KeySchedule(HpkeAead::kAes256Gcm, kShared, kInfo);
  EXPECT_EQ(ours.key.size(), 32u);
  EXPECT_NE(ToHex(ours.base_nonce.Expose()), ToHex(keys.base_nonce.Expose()));
}

TEST(HpkeTest, FirstMessage) {
  const auto ephemeral = P256PrivateKey::Derive(kSeedE), recipient = P256PrivateKey::Derive(kSeedR);
  const auto sealed = HpkeSealWith(*ephemeral, HpkeAead::kAes128Gcm, recipient->public_key(), kInfo,
                                   Hex("436f756e742d30"), AsBytes("Beauty is truth, truth beauty"));
  EXPECT_EQ(ToHex(ByteView(*sealed).subspan(65)),
            "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f"
            "9076ac232e3ab2523f39513434");
}

class HpkeMessageTest : public testing::Test {
 protected:
  P256PrivateKey recipient_ = P256PrivateKey::Generate().value();
  Bytes envelope_ =
      HpkeSeal(recipient_.public_key(), AsBytes("info"), AsBytes("aad"), AsBytes("secret")).value();
};

TEST_F(HpkeMessageTest, OpensWhatWasSealed) {
  EXPECT_EQ(envelope_.size(), 65u + 6 + 16);
  const auto opened = HpkeOpen(recipient_, AsBytes("info"), AsBytes("aad"), envelope_);
  ASSERT_TRUE(opened);
  EXPECT_EQ(AsText(opened->Expose()), "secret");
  EXPECT_NE(envelope_,
            *HpkeSeal(recipient_.public_key(), AsBytes("info"), AsBytes("aad"), AsBytes("secret")));
}

TEST_F(HpkeMessageTest, RefusesAnyChange) {
  const auto refused = [](const Result<SecretBytes>& r) {
    return !r && r.error().code == "crypto.decrypt_failed";
  };
  const ByteView info = AsBytes("info"), aad = AsBytes("aad");
  for (size_t i = 0; i < envelope_.size(); ++i) {
    Bytes bad = envelope_;
    bad[i] ^= 1;
    EXPECT_TRUE(refused(HpkeOpen(recipient_, info, aad, bad))) << i;
  }
  EXPECT_TRUE(refused(HpkeOpen(recipient_, AsBytes("inf0"), aad, envelope_)));
  EXPECT_TRUE(refused(HpkeOpen(recipient_, info, {}, envelope_)));
  EXPECT_TRUE(refused(HpkeOpen(*P256PrivateKey::Generate(), info, aad, envelope_)));
  for (size_t size : {size_t{0}, size_t{64}, size_t{80}, envelope_.size() - 1}) {
    EXPECT_TRUE(refused(HpkeOpen(recipient_, info, aad, ByteView(envelope_).first(size))));
  }
}

TEST_F(HpkeMessageTest, RefusesABadRecipient) {
  Bytes off_curve = ToBytes(recipient_.public_key());
  off_curve[64] ^= 1;
  EXPECT_EQ(HpkeSeal(off_curve, {}, {}, AsBytes("x")).error().code, "crypto.bad_key");
}

}  // namespace
}  // namespace cce::crypto
