#include "attest/x509.h"

#include <gtest/gtest.h>

#include "attest/chain.h"
#include "attest/der.h"
#include "attest/extensions.h"
#include "attest/test_platform.h"

namespace cce::attest {
namespace {

using testing::kNow;

TEST(Der, LengthsAreDefiniteAndMinimal) {
  const auto reads = [](const char* hex) {
    const Bytes bytes = *FromHex(hex);
    ByteView content;
    return der::Reader(bytes).Take(der::kOctetString, content);
  };
  EXPECT_TRUE(reads("0401aa"));
  EXPECT_TRUE(reads("0400"));
  EXPECT_FALSE(reads("0402aa"));          // cut
  EXPECT_FALSE(reads("048101aa"));        // long form for a short length
  EXPECT_FALSE(reads("0480aa0000"));      // indefinite
  EXPECT_FALSE(reads("04820001aa"));      // leading zero
  EXPECT_FALSE(reads("048400000001aa"));  // longer than any certificate
  EXPECT_FALSE(reads("1f0401aa"));        // high tag number
  EXPECT_FALSE(reads("04"));
  EXPECT_FALSE(reads(""));
}

TEST(Der, IntegersAreMinimalAndNotNegative) {
  const auto value = [](const char* hex) -> int64_t {
    const Bytes bytes = *FromHex(hex);
    uint64_t out = 0;
    return der::Reader(bytes).TakeUint(out, UINT32_MAX) ? static_cast<int64_t>(out) : -1;
  };
  EXPECT_EQ(value("020100"), 0);
  EXPECT_EQ(value("02017f"), 127);
  EXPECT_EQ(value("02020080"), 128);
  EXPECT_EQ(value("020180"), -1);          // negative
  EXPECT_EQ(value("0202007f"), -1);        // not minimal
  EXPECT_EQ(value("0200"), -1);            // empty
  EXPECT_EQ(value("0205ffffffffff"), -1);  // negative
  EXPECT_EQ(value("02050100000000"), -1);  // above the limit
}

TEST(Der, TimesAreZuluWithSeconds) {
  const auto time = [](uint8_t tag, std::string_view text) -> UnixSeconds {
    Bytes bytes = {tag, static_cast<uint8_t>(text.size())};
    Append(bytes, AsBytes(text));
    UnixSeconds out = 0;
    return der::Reader(bytes).TakeTime(out) ? out : -1;
  };
  EXPECT_EQ(time(der::kUtcTime, "700101000000Z"), 0);
  EXPECT_EQ(time(der::kUtcTime, "491231235959Z"), 2524607999);
  EXPECT_EQ(time(der::kGeneralizedTime, "20500101000000Z"), 2524608000);
  EXPECT_EQ(time(der::kUtcTime, "700101000000"), -1);
  EXPECT_EQ(time(der::kUtcTime, "7001010000Z"), -1);
  EXPECT_EQ(time(der::kUtcTime, "700132000000Z"), -1);
  EXPECT_EQ(time(der::kUtcTime, "70010100000aZ"), -1);
  EXPECT_EQ(time(der::kGeneralizedTime, "20500101000000+0100"), -1);
}

TEST(X509, ReadsWhatOpenSslWrites) {
  testing::TdxPlatform p;
  p.Build();
  const Result<Certificate> root = ParseCertificate(p.root_der);
  ASSERT_TRUE(root.has_value()) << FormatError(root.error());
  EXPECT_EQ(root->subject_cn, "Test SGX Root CA");
  EXPECT_TRUE(root->ca);
  EXPECT_EQ(root->path_length, 1u);
  EXPECT_EQ(root->not_after, kNow + 3650 * testing::kDay);
  EXPECT_EQ(*root->key_usage & (kUsageCertSign | kUsageCrlSign), kUsageCertSign | kUsageCrlSign);
  EXPECT_TRUE(SignedBy(*root, root->key));
  const Result<Crl> crl = ParseCrl(p.collateral.tdx->pck_crl);
  ASSERT_TRUE(crl.has_value()) << FormatError(crl.error());
  EXPECT_EQ(crl->entries.size(), 2u);
  Certificate wanted;
  wanted.issuer = crl->issuer;
  const Bytes seven = {7}, eight = {8};
  wanted.serial = seven;
  EXPECT_NE(crl->Find(wanted), nullptr);
  wanted.serial = eight;
  EXPECT_EQ(crl->Find(wanted), nullptr);
  wanted.serial = seven;
  wanted.issuer = root->subject;
  EXPECT_EQ(crl->Find(wanted), nullptr);  // another CA's certificate with this serial number
}

TEST(X509, AnEntryWithoutAnIssuerHasThatOfTheOneBefore) {
  testing::TdxPlatform p;
  p.pck_crl.certificate_issuer_cn = "Another CA";
  p.Build();
  const Result<Crl> crl = ParseCrl(p.collateral.tdx->pck_crl);
  ASSERT_TRUE(crl.has_value()) << FormatError(crl.error());
  ASSERT_EQ(crl->entries.size(), 2u);
  EXPECT_FALSE(Equal(crl->entries[0].issuer, crl->issuer));
  EXPECT_TRUE(Equal(crl->entries[1].issuer, crl->entries[0].issuer));
  p.pck_crl.says_indirect = false;
  p.Build();
  EXPECT_FALSE(ParseCrl(p.collateral.tdx->pck_crl).has_value());
}

TEST(X509, NoByteTooManyOrTooFew) {
  testing::TdxPlatform p;
  p.Build();
  for (const bool is_crl : {false, true}) {
    const Bytes der = is_crl ? p.collateral.tdx->pck_crl : p.root_der;
    const auto parses = [&](ByteView bytes) {
      return is_crl ? ParseCrl(bytes).has_value() : ParseCertificate(bytes).has_value();
    };
    EXPECT_TRUE(parses(der));
    for (size_t size = 0; size < der.size(); ++size) {
      EXPECT_FALSE(parses(ByteView(der).first(size))) << size;
    }
    Bytes longer = der;
    longer.push_back(0);
    EXPECT_FALSE(parses(longer));
  }
}

// Any change is refused by the form or by the signature.
TEST(X509, EveryBitIsCovered) {
  testing::TdxPlatform p;
  p.Build();
  const Certificate root = *ParseCertificate(p.root_der);
  for (size_t bit = 0; bit < p.root_der.size() * 8; ++bit) {
    Bytes der = p.root_der;
    der[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    const Result<Certificate> changed = ParseCertificate(der);
    ASSERT_FALSE(changed && SignedBy(*changed, root.key)) << bit;
  }
}

TEST(X509, ADuplicateExtensionIsRefused) {
  testing::TdxPlatform p;
  p.pck.extensions = {{"1.2.3.4", Bytes{5, 0}}, {"1.2.3.4", Bytes{5, 0}}};
  p.Build();
  const Bytes leaf = ParsePemChain(AsText(ParseTdxQuote(p.quote)->pck_chain_pem))->front();
  EXPECT_FALSE(ParseCertificate(leaf).has_value());
}

Result<PckExtension> ReadExtension(const Bytes& value) {
  testing::TdxPlatform p;
  p.pck.extensions = {{"1.2.840.113741.1.13.1", value}};
  p.Build();
  const Bytes leaf = ParsePemChain(AsText(ParseTdxQuote(p.quote)->pck_chain_pem))->front();
  return ReadPckExtension(*ParseCertificate(leaf));
}

TEST(PckExtension, IsStrict) {
  const ByteArray<16> svns = {200, 1};
  const Bytes good = testing::SgxExtension(svns, 300, {1, 2, 3, 4, 5, 6}, {7, 8});
  const Result<PckExtension> read = ReadExtension(good);
  ASSERT_TRUE(read.has_value()) << FormatError(read.error());
  EXPECT_EQ(read->components, svns);
  EXPECT_EQ(read->pcesvn, 300);
  EXPECT_EQ(ToHex(read->fmspc), "010203040506");
  EXPECT_EQ(ToHex(read->pceid), "0708");
  Bytes trailing = good;
  trailing.push_back(0);
  EXPECT_FALSE(ReadExtension(trailing).has_value());
  // Each bit of the structure either changes a value or is refused; nothing crashes.
  for (size_t i = 0; i < good.size(); i += 7) {
    Bytes changed = good;
    changed[i] ^= 0x10;
    static_cast<void>(ReadExtension(changed));
  }
}

}  // namespace
}  // namespace cce::attest
