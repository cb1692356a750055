#include <gtest/gtest.h>

#include "base/toml.h"
#include "manifest/test_bundle.h"

namespace cce::manifest {
namespace {

std::string CodeOf(const std::string& toml) {
  const auto document = ParseToml(toml, "trust.toml");
  if (!document) return document.error().code;
  const auto trust = ReadTrust(*document);
  return trust ? "" : trust.error().code;
}

class TrustTest : public testing::Test {
 protected:
  void SetUp() override {
    t.Make();
    cced = t.trust.engines[0];
    cced.attestation.roots = attest::VendorRoots();
    cced.attestation.roots.push_back(
        {"simulated \"chip\"", attest::Tee::kTdx, Filled<32>(7), false});
    cced.attestation.measurements[0].not_after = TestBundle::kNow;
    toml = TrustToToml(cced);
  }
  std::string Without(std::string_view line) const {
    std::string out = toml;
    const size_t at = out.find(line);
    EXPECT_NE(at, std::string::npos) << line << "\n" << toml;
    out.erase(at, out.find('\n', at) - at);
    return out;
  }

  TestBundle t;
  TrustedCced cced;
  std::string toml;
};

TEST_F(TrustTest, WritesWhatItReads) {
  const auto document = ParseToml(toml, "trust.toml");
  ASSERT_TRUE(document) << FormatError(document.error()) << toml;
  const auto trust = ReadTrust(*document);
  ASSERT_TRUE(trust) << FormatError(trust.error()) << toml;
  ASSERT_EQ(trust->engines.size(), 1U);
  const TrustedCced& read = trust->engines[0];
  EXPECT_EQ(read.name, cced.name);
  EXPECT_EQ(read.url, cced.url);
  EXPECT_EQ(read.identity, cced.identity);
  EXPECT_EQ(read.identity_key, cced.identity_key);
  EXPECT_EQ(attest::ToJsonObject(read.attestation), attest::ToJsonObject(cced.attestation));
  EXPECT_EQ(TrustToToml(read), toml);
}

TEST_F(TrustTest, TakesSeveralEnginesOneAfterTheOther) {
  TrustedCced other = cced;
  other.name = "other";
  other.identity[0] ^= 1;
  EXPECT_EQ(CodeOf(toml + "\n" + TrustToToml(other)), "");
  EXPECT_EQ(CodeOf(""), "");
}

TEST_F(TrustTest, RefusesEntriesThatContradictEachOther) {
  TrustedCced other = cced;
  other.name = "other";
  EXPECT_EQ(CodeOf(toml + "\n" + TrustToToml(other)), "config.invalid") << "one identity twice";
  other = cced;
  other.identity[0] ^= 1;
  EXPECT_EQ(CodeOf(toml + "\n" + TrustToToml(other)), "config.invalid") << "one name twice";
}

TEST_F(TrustTest, RefusesMissingAndUnknownMembers) {
  EXPECT_EQ(CodeOf(Without("identity = ")), "config.invalid");
  EXPECT_EQ(CodeOf(Without("identity_key = ")), "config.invalid");
  EXPECT_EQ(CodeOf(Without("name = ")), "config.invalid");
  EXPECT_EQ(CodeOf("[[cced]]\nname = \"x\"\nidentity = \"" + std::string(64, '0') +
                   "\"\nidentity_key = \"" + ToHex(cced.identity_key) + "\"\n"),
            "config.invalid")
      << "no attestation policy";
  EXPECT_EQ(CodeOf("[[cced]]\nidentiti = \"\"\n"), "config.invalid");
  EXPECT_EQ(CodeOf("[[engine]]\n"), "config.invalid");
  EXPECT_EQ(CodeOf(toml + "[cced.attestation.more]\n"), "config.invalid");
}

TEST_F(TrustTest, RefusesAKeyThatIsNoPoint) {
  cced.identity_key[64] ^= 1;
  EXPECT_EQ(CodeOf(TrustToToml(cced)), "config.invalid");
}

TEST(TrustExample, IsReadAndSaysWhatItIs) {
  const auto document = LoadToml(std::string(CCE_SOURCE_DIR) + "/deploy/examples/trust.toml");
  ASSERT_TRUE(document) << FormatError(document.error());
  const auto trust = ReadTrust(*document);
  ASSERT_TRUE(trust) << FormatError(trust.error());
  ASSERT_EQ(trust->engines.size(), 1U);
  EXPECT_FALSE(trust->engines[0].attestation.measurements.empty());
  EXPECT_FALSE(trust->engines[0].attestation.any_measurement);
  for (const attest::TrustedRoot& root : trust->engines[0].attestation.roots) {
    EXPECT_TRUE(root.vendor) << root.name;
  }
}

}  // namespace
}  // namespace cce::manifest
