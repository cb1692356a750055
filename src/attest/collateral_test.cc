#include "attest/collateral.h"

#include <gtest/gtest.h>

#include "attest/snp_layout.h"
#include "attest/test_platform.h"

namespace cce::attest {
namespace {

using testing::FirstFailure;

TEST(Collateral, TheBundleKeepsEveryByte) {
  testing::TdxPlatform p;
  p.Build();
  Collateral both = p.collateral;
  both.tdx->pck_crl_chain = {};
  testing::SnpPlatform s;
  s.Build();
  both.snp = s.collateral.snp;
  const std::string text = ToBundleJson(both);
  const Result<Collateral> read = ParseBundle(text);
  ASSERT_TRUE(read.has_value()) << FormatError(read.error());
  EXPECT_EQ(ToBundleJson(*read), text);
  EXPECT_EQ(read->tdx->tcb_info.body, p.tcb_info);
  EXPECT_EQ(read->snp->vek, both.snp->vek);
  p.collateral = *read;
  EXPECT_EQ(FirstFailure(p.Check()), "accepted");
}

TEST(Collateral, TheBundleIsStrict) {
  const auto code = [](const char* text) {
    const Result<Collateral> read = ParseBundle(text);
    return read ? "read" : read.error().code;
  };
  EXPECT_EQ(code("{}"), "input.malformed");
  EXPECT_EQ(code("[]"), "input.malformed");
  EXPECT_EQ(code(R"({"snp_vek": "30"})"), "read");
  EXPECT_EQ(code(R"({"snp_vek": "30", "snp_vek": "31"})"), "input.malformed");
  EXPECT_EQ(code(R"({"snp_vek": "30", "more": 1})"), "input.unknown_member");
  EXPECT_EQ(code(R"({"snp_vek": "3"})"), "input.malformed");
  EXPECT_EQ(code(R"({"tcb_info": "{}"})"), "input.missing_member");
}

TEST(Collateral, AResponseIsSplitByBytes) {
  const std::string signature(128, 'a');
  const std::string body = R"({ "b" : [1, 2 ], "a":{"x":"}"}  })";
  const std::string response =
      R"({"tcbInfo": )" + body + R"(  , "signature": ")" + signature + "\"}";
  const Result<SignedDocument> split = SplitTcbInfo(response);
  ASSERT_TRUE(split.has_value()) << FormatError(split.error());
  EXPECT_EQ(split->body, body);
  EXPECT_EQ(split->signature, Bytes(64, 0xaa));
  EXPECT_FALSE(SplitQeIdentity(response).has_value());
  EXPECT_FALSE(SplitTcbInfo(R"({"tcbInfo":{}})").has_value());
  EXPECT_FALSE(SplitTcbInfo(R"({"tcbInfo":{},"tcbInfo":{},"signature":")" + signature + "\"}"));
  EXPECT_FALSE(SplitTcbInfo(R"({"tcbInfo":1,"signature":")" + signature + "\"}").has_value());
  EXPECT_FALSE(SplitTcbInfo("").has_value());
  EXPECT_FALSE(SplitTcbInfo(std::string(2000, '[')).has_value());
}

TEST(Collateral, PemMayHaveEitherLineEndAndANul) {
  testing::TdxPlatform p;
  p.Build();
  const std::vector<Bytes> chain = {p.root_der, p.collateral.tdx->tcb_info_chain[0]};
  const std::string pem = ToPem(chain);
  EXPECT_EQ(*ParsePemChain(pem), chain);
  std::string crlf;
  for (const char c : pem) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(*ParsePemChain(crlf), chain);
  EXPECT_EQ(*ParsePemChain(pem + std::string(3, '\0')), chain);
  EXPECT_FALSE(ParsePemChain(pem + std::string(1, '\0') + "x").has_value());
  EXPECT_FALSE(ParsePemChain("junk" + pem).has_value());
  EXPECT_FALSE(ParsePemChain(pem + "junk").has_value());
  EXPECT_FALSE(ParsePemChain("").has_value());
  EXPECT_FALSE(ParsePemChain(pem.substr(0, 200)).has_value());
  std::string many;
  for (int i = 0; i < 9; ++i) many += ToPem({p.root_der});
  EXPECT_FALSE(ParsePemChain(many).has_value());
}

TEST(Collateral, ACrlComesAsDerPemOrHex) {
  testing::TdxPlatform p;
  p.Build();
  const Bytes der = p.collateral.tdx->pck_crl;
  EXPECT_EQ(*ReadCrl(der), der);
  EXPECT_EQ(*ReadCrl(AsBytes(ToHex(der) + "\n")), der);
  const std::string pem =
      "-----BEGIN X509 CRL-----\n" + ToBase64(der) + "\n-----END X509 CRL-----\n";
  EXPECT_EQ(*ReadCrl(AsBytes(pem)), der);
  EXPECT_FALSE(ReadCrl({}).has_value());
  EXPECT_FALSE(ReadCrl(AsBytes("hello")).has_value());
}

TEST(Collateral, MadeFromPartsItVerifies) {
  testing::TdxPlatform p;
  p.Build();
  const TdxCollateral& c = *p.collateral.tdx;
  const std::string info = R"({"tcbInfo":)" + c.tcb_info.body + R"(,"signature":")" +
                           ToHex(c.tcb_info.signature) + "\"}";
  const std::string qe = R"({"enclaveIdentity":)" + c.qe_identity.body + R"(,"signature":")" +
                         ToHex(c.qe_identity.signature) + "\"}";
  const std::string chain = ToPem(c.tcb_info_chain);
  const std::vector<Bytes> pck = *ParsePemChain(AsText(ParseTdxQuote(p.quote)->pck_chain_pem));
  const std::string crl_chain = ToPem({pck[1], pck[2]});
  const Result<TdxCollateral> made =
      MakeTdxCollateral({info, qe, c.pck_crl, c.root_crl, chain, "", crl_chain, ""});
  ASSERT_TRUE(made.has_value()) << FormatError(made.error());
  p.collateral.tdx = *made;
  EXPECT_EQ(FirstFailure(p.Check()), "accepted");
  // The CRL's own chain must be this quote's.
  testing::TdxPlatform other;
  other.Build();
  p.collateral.tdx->pck_crl_chain = {other.root_der};
  EXPECT_EQ(FirstFailure(p.Check()), "tdx.pck_crl.issuer");
}

TEST(Collateral, IsSortedByContent) {
  testing::TdxPlatform p;
  p.Build();
  testing::SnpPlatform s;
  s.Build();
  const TdxCollateral& c = *p.collateral.tdx;
  const std::string info = R"({"tcbInfo":)" + c.tcb_info.body + R"(,"signature":")" +
                           ToHex(c.tcb_info.signature) + "\"}";
  const std::string qe = R"({"enclaveIdentity":)" + c.qe_identity.body + R"(,"signature":")" +
                         ToHex(c.qe_identity.signature) + "\"}";
  std::vector<NamedBytes> files = {{"a", ToBytes(info)},
                                   {"b", ToBytes(qe)},
                                   {"c", c.pck_crl},
                                   {"d", c.root_crl},
                                   {"e", ToBytes(ToPem(c.tcb_info_chain))},
                                   {"f", s.collateral.snp->vek},
                                   {"g", s.collateral.snp->ask},
                                   {"h", s.collateral.snp->ark},
                                   {"i", s.collateral.snp->crl},
                                   {"j", {}}};
  const Result<Collateral> made = AssembleCollateral(files);
  ASSERT_TRUE(made.has_value()) << FormatError(made.error());
  p.collateral = *made;
  s.collateral = *made;
  EXPECT_EQ(FirstFailure(p.Check()), "accepted");
  EXPECT_EQ(FirstFailure(s.Check()), "accepted");
  files.push_back({"again", c.pck_crl});
  EXPECT_TRUE(AssembleCollateral(files).has_value());
  p.pck_crl.revoked = {};
  files.push_back({"other", testing::MakeCrl(p.pck_crl)});
  EXPECT_FALSE(AssembleCollateral(files).has_value());
  EXPECT_FALSE(AssembleCollateral({{"x", ToBytes("hello")}}).has_value());
  EXPECT_FALSE(AssembleCollateral({}).has_value());
  const Result<Collateral> bundle = AssembleCollateral({{"b", ToBytes(ToBundleJson(*made))}});
  ASSERT_TRUE(bundle.has_value()) << FormatError(bundle.error());
  EXPECT_EQ(ToBundleJson(*bundle), ToBundleJson(*made));
}

TEST(Collateral, SaysWhatEvidenceNeeds) {
  testing::TdxPlatform p;
  p.Build();
  const Result<CollateralNeed> tdx = NeedOf(*ParseEvidence(p.quote));
  ASSERT_TRUE(tdx.has_value());
  EXPECT_EQ(tdx->fmspc, "b0c06f000000");
  EXPECT_EQ(tdx->pck_ca, "platform");
  testing::SnpPlatform s;
  s.spl = {1, 2, 3, 4, 5};
  s.Become("Turin");
  s.Build();
  const Result<CollateralNeed> snp = NeedOf(*ParseEvidence(s.signed_report));
  ASSERT_TRUE(snp.has_value());
  EXPECT_EQ(snp->product, SnpProduct::kTurin);
  EXPECT_EQ(snp->hwid, "4242424242424242");
  EXPECT_EQ(snp->tcb, (SnpTcb{1, 2, 3, 4, 5}));
  EXPECT_FALSE(snp->vlek);
}

TEST(Collateral, DatesAreTheNarrowest) {
  testing::TdxPlatform p;
  p.pck_crl.next_update = testing::kNow + 5;
  p.signing.not_after = testing::kNow + 9;
  p.Build();
  const Result<CollateralDates> dates = DatesOf(p.collateral);
  ASSERT_TRUE(dates.has_value());
  EXPECT_EQ(dates->next_update, testing::kNow + 5);
  EXPECT_EQ(dates->not_after, testing::kNow + 9);
  EXPECT_EQ(dates->tcb_evaluation_number, 19);
}

}  // namespace
}  // namespace cce::attest
