// Each TDX rule with a platform that breaks exactly that rule.
#include <gtest/gtest.h>

#include "attest/tdx_layout.h"
#include "attest/tdx_quote.h"
#include "attest/test_platform.h"
#include "crypto/hash.h"

namespace cce::attest {
namespace {

using testing::FirstFailure;
using testing::kDay;
using testing::kNow;
using testing::TdxPlatform;

TEST(TdxVerify, AcceptsAGoodPlatform) {
  TdxPlatform p;
  p.Build();
  const Verdict v = p.Check();
  EXPECT_TRUE(v.accepted) << ToText(v);
  EXPECT_TRUE(v.development);  // the root is the test's
  EXPECT_TRUE(v.collateral_ok);
  EXPECT_EQ(v.tcb_status, TcbStatus::kUpToDate);
  EXPECT_EQ(v.tcb_evaluation_number, 19u);  // the lower of both documents
  EXPECT_EQ(v.reject_stage, Stage::kNone);
  EXPECT_FALSE(v.first_failure.has_value());
  EXPECT_LE(*v.valid_until, kNow + 30 * kDay);
}

TEST(TdxVerify, AcceptsVersion5AndTd15) {
  TdxPlatform p;
  p.version = 5;
  p.td15 = true;
  p.body.resize(tdx::kTd15Size);
  p.SetBody(tdx::kTeeTcbSvn2.offset, Bytes{6, 1, 5});
  p.Build();
  EXPECT_EQ(FirstFailure(p.Check()), "accepted");
  TdxPlatform td10;
  td10.version = 5;
  td10.Build();
  EXPECT_EQ(FirstFailure(td10.Check()), "accepted");
}

struct BadTdx {
  const char* rule;
  const char* name;
  void (*spoil)(TdxPlatform&);
};

class TdxRule : public ::testing::TestWithParam<BadTdx> {};

TEST_P(TdxRule, IsTheFirstToFail) {
  TdxPlatform p;
  GetParam().spoil(p);
  p.Build();
  const Verdict v = p.Check();
  EXPECT_FALSE(v.accepted);
  EXPECT_EQ(FirstFailure(v), GetParam().rule) << ToText(v, false);
  ASSERT_TRUE(v.first_failure.has_value());
  EXPECT_FALSE(v.first_failure->mend.empty());
  EXPECT_NE(FindErrorInfo(ErrorCode(v)), nullptr);
}

const BadTdx kBad[] = {
    {"tdx.pck_chain.form", "GarbageCertificate",
     [](TdxPlatform& p) {
       p.after_quote = [](Bytes& q) {
         const size_t at = AsText(q).find("-----BEGIN");
         q[at + 40] ^= 1;
       };
     }},
    {"tdx.pck_chain.form", "UnknownCriticalExtension",
     [](TdxPlatform& p) { p.ca.critical_unknown = true; }},
    {"tdx.pck_chain.names", "LeafNamesAnotherIssuer",
     [](TdxPlatform& p) { p.pck.issuer_cn = "Test SGX PCK Processor CA"; }},
    {"tdx.pck_chain.names", "LeafIsNoPck", [](TdxPlatform& p) { p.pck.cn = "Somebody else"; }},
    {"tdx.pck_chain.constraints", "IntermediateIsNoCa",
     [](TdxPlatform& p) {
       p.ca.ca = false;
       p.ca.path_length.reset();
     }},
    {"tdx.pck_chain.constraints", "RootPathLengthZero",
     [](TdxPlatform& p) { p.root.path_length = 0; }},
    {"tdx.pck_chain.constraints", "CaMayNotSignCrls",
     [](TdxPlatform& p) { p.ca.usage = "keyCertSign"; }},
    {"tdx.pck_chain.constraints", "LeafIsACa", [](TdxPlatform& p) { p.pck.ca = true; }},
    {"tdx.pck_chain.constraints", "LeafMayNotSign",
     [](TdxPlatform& p) { p.pck.usage = "keyEncipherment"; }},
    {"tdx.pck_chain.signatures", "LeafSignedByAnotherKey",
     [](TdxPlatform& p) { p.pck.issuer_key = testing::NewEcKey("P-256"); }},
    {"tdx.pck_chain.validity", "LeafExpired", [](TdxPlatform& p) { p.pck.not_after = kNow - 1; }},
    {"tdx.pck_chain.validity", "CaNotYetValid", [](TdxPlatform& p) { p.ca.not_before = kNow + 1; }},
    {"tdx.pck_chain.sgx_extension", "NoSgxExtension",
     [](TdxPlatform& p) { p.pck.extensions = {{"1.2.3.4", Bytes{5, 0}}}; }},
    {"tdx.root_crl.form", "RootCrlGarbage",
     [](TdxPlatform& p) {
       p.after_collateral = [](TdxCollateral& c) { c.root_crl = Bytes(100, 0x30); };
     }},
    {"tdx.root_crl.issuer", "PckCrlInPlaceOfRootCrl",
     [](TdxPlatform& p) { p.after_collateral = [](TdxCollateral& c) { c.root_crl = c.pck_crl; }; }},
    {"tdx.root_crl.signature", "RootCrlByAnotherKey",
     [](TdxPlatform& p) { p.root_crl.key = p.ca_key; }},
    {"tdx.root_crl.fresh", "RootCrlExpired",
     [](TdxPlatform& p) { p.root_crl.next_update = kNow - 1; }},
    {"tdx.root_crl.fresh", "RootCrlOfTheFuture",
     [](TdxPlatform& p) { p.root_crl.this_update = kNow + 1; }},
    {"tdx.pck_ca.not_revoked", "PckCaRevoked", [](TdxPlatform& p) { p.root_crl.revoked = {2}; }},
    {"tdx.pck_crl.form", "PckCrlGarbage",
     [](TdxPlatform& p) { p.after_collateral = [](TdxCollateral& c) { c.pck_crl.pop_back(); }; }},
    {"tdx.pck_crl.issuer", "CrlOfTheProcessorCa",
     [](TdxPlatform& p) { p.pck_crl.issuer_cn = "Test SGX PCK Processor CA"; }},
    {"tdx.pck_crl.signature", "PckCrlByAnotherKey",
     [](TdxPlatform& p) { p.pck_crl.key = p.root_key; }},
    {"tdx.pck_crl.fresh", "PckCrlExpired",
     [](TdxPlatform& p) { p.pck_crl.next_update = kNow - 1; }},
    {"tdx.pck.not_revoked", "PckRevoked",
     [](TdxPlatform& p) { p.pck_crl.revoked = {5, 0xabcdef}; }},
    {"tdx.tcb_signing.form", "NoSigningCertificate",
     [](TdxPlatform& p) {
       p.after_collateral = [](TdxCollateral& c) {
         c.tcb_info_chain.erase(c.tcb_info_chain.begin());
         c.qe_identity_chain = c.tcb_info_chain;
       };
     }},
    {"tdx.tcb_signing.root", "CollateralOfAnotherRoot",
     [](TdxPlatform& p) {
       p.after_collateral = [](TdxCollateral& c) {
         TdxPlatform other;
         other.Build();
         c.tcb_info_chain[1] = other.root_der;
         c.qe_identity_chain = c.tcb_info_chain;
       };
     }},
    {"tdx.tcb_signing.names", "SignedByAPck",
     [](TdxPlatform& p) { p.signing.cn = "Test SGX PCK Certificate"; }},
    {"tdx.tcb_signing.constraints", "SigningKeyMayNotSign",
     [](TdxPlatform& p) { p.signing.usage = "keyEncipherment"; }},
    {"tdx.tcb_signing.signature", "SigningCertificateByAnotherKey",
     [](TdxPlatform& p) { p.signing.issuer_key = p.ca_key; }},
    {"tdx.tcb_signing.validity", "SigningCertificateExpired",
     [](TdxPlatform& p) { p.signing.not_after = kNow - 1; }},
    {"tdx.tcb_signing.not_revoked", "SigningCertificateRevoked",
     [](TdxPlatform& p) { p.root_crl.revoked = {4}; }},
    {"tdx.tcb_info.form", "TcbInfoVersion4",
     [](TdxPlatform& p) { p.Replace(p.tcb_info, R"("version":3)", R"("version":4)"); }},
    {"tdx.tcb_info.form", "TcbInfoMemberTwice",
     [](TdxPlatform& p) { p.Replace(p.tcb_info, R"("version":3)", R"("version":3,"version":3)"); }},
    {"tdx.tcb_info.form", "FifteenComponents",
     [](TdxPlatform& p) { p.Replace(p.tcb_info, R"({"svn":0},)", ""); }},
    {"tdx.tcb_info.form", "NoLevels",
     [](TdxPlatform& p) {
       p.tcb_info.resize(p.tcb_info.rfind(R"("tcbLevels":[)"));
       p.tcb_info += R"("tcbLevels":[]})";
     }},
    {"tdx.tcb_info.signature", "TcbInfoChanged",
     [](TdxPlatform& p) { p.after_collateral = [](TdxCollateral& c) { c.tcb_info.body += " "; }; }},
    {"tdx.tcb_info.fresh", "TcbInfoExpired",
     [](TdxPlatform& p) { p.Replace(p.tcb_info, "2026-10-20", "2026-09-20"); }},
    {"tdx.tcb_info.fresh", "TcbInfoOfTheFuture",
     [](TdxPlatform& p) { p.Replace(p.tcb_info, "2026-09-20", "2026-10-01"); }},
    {"tdx.qe_identity.form", "QeIdentityVersion1",
     [](TdxPlatform& p) { p.Replace(p.qe_identity, R"("version":2)", R"("version":1)"); }},
    {"tdx.qe_identity.signature", "QeIdentityWithTcbInfosSignature",
     [](TdxPlatform& p) {
       p.after_collateral = [](TdxCollateral& c) {
         c.qe_identity.signature = c.tcb_info.signature;
       };
     }},
    {"tdx.qe_identity.fresh", "QeIdentityExpired",
     [](TdxPlatform& p) { p.Replace(p.qe_identity, "2026-10-20", "2026-09-20"); }},
    {"tdx.qe_identity.fresh", "QeIdentityOfTheFuture",
     [](TdxPlatform& p) { p.Replace(p.qe_identity, "2026-09-20", "2026-10-01"); }},
    {"tdx.quote.qe_vendor", "AnotherVendor", [](TdxPlatform& p) { p.qe_vendor[0] ^= 1; }},
    {"tdx.tcb_info.id", "TcbInfoForSgx",
     [](TdxPlatform& p) { p.Replace(p.tcb_info, R"("id":"TDX")", R"("id":"SGX")"); }},
    {"tdx.tcb_info.fmspc", "TcbInfoOfAnotherModel",
     [](TdxPlatform& p) { p.Replace(p.tcb_info, "B0C06F000000", "90C06F000000"); }},
    {"tdx.tcb_info.pceid", "TcbInfoOfAnotherPce",
     [](TdxPlatform& p) { p.Replace(p.tcb_info, R"("pceId":"0000")", R"("pceId":"0001")"); }},
    {"tdx.module.identity", "UnknownModuleMajor",
     [](TdxPlatform& p) { p.SetBody(tdx::kTeeTcbSvn.offset, Bytes{6, 2, 5}); }},
    {"tdx.module.mrsigner", "AnotherModuleSigner",
     [](TdxPlatform& p) { p.SetBody(tdx::kMrSignerSeam.offset, Bytes{1}); }},
    {"tdx.module.attributes", "DebugModule",
     [](TdxPlatform& p) { p.SetBody(tdx::kSeamAttributes.offset, Bytes{1}); }},
    {"tdx.qe_report.signature", "QeReportChanged",
     [](TdxPlatform& p) {
       p.after_quote = [](Bytes& q) {
         q[tdx::kHeaderSize + tdx::kTd10Size + 4 + 128 + 6 + tdx::kQeCpuSvn.offset] ^= 1;
       };
     }},
    {"tdx.qe_report.binding", "AnotherAttestationKey",
     [](TdxPlatform& p) { p.bind_attestation_key = false; }},
    {"tdx.qe_report.binding", "BindingNotPaddedWithZeros",
     [](TdxPlatform& p) { p.qe_report[tdx::kQeReportData.offset + 40] = 1; }},
    {"tdx.qe_identity.id", "IdentityOfTheSgxQe",
     [](TdxPlatform& p) { p.Replace(p.qe_identity, "TD_QE", "QE"); }},
    {"tdx.qe_report.mrsigner", "EnclaveOfAnotherSigner",
     [](TdxPlatform& p) { p.qe_report[tdx::kQeMrSigner.offset] ^= 1; }},
    {"tdx.qe_report.isvprodid", "AnotherProduct",
     [](TdxPlatform& p) { p.qe_report[tdx::kQeIsvProdId.offset] = 1; }},
    {"tdx.qe_report.miscselect", "AnotherMiscselect",
     [](TdxPlatform& p) { p.qe_report[tdx::kQeMiscSelect.offset] = 1; }},
    {"tdx.qe_report.attributes", "DebugEnclave",
     [](TdxPlatform& p) {
       p.qe_report[tdx::kQeAttributes.offset] |= tdx::kSgxAttributeDebug;
       p.Replace(p.qe_identity, R"("attributes":"11)", R"("attributes":"13)");
     }},
    {"tdx.quote.signature", "BodyChanged",
     [](TdxPlatform& p) {
       p.after_quote = [](Bytes& q) { q[tdx::kHeaderSize + tdx::kMrOwner.offset] ^= 1; };
     }},
    {"tdx.tcb.platform_level", "MicrocodeBelowEveryLevel",
     [](TdxPlatform& p) { p.components[0] = 2; }},
    {"tdx.tcb.module_level", "ModuleBelowEveryLevel",
     [](TdxPlatform& p) { p.SetBody(tdx::kTeeTcbSvn.offset, Bytes{1, 1, 5}); }},
    {"tdx.tcb.qe_level", "EnclaveBelowEveryLevel",
     [](TdxPlatform& p) { p.qe_report[tdx::kQeIsvSvn.offset] = 2; }},
    {"tdx.tcb.platform_level", "StatusUnknown",
     [](TdxPlatform& p) {
       const size_t at = p.tcb_info.find(R"("UpToDate","advisoryIDs")");
       p.tcb_info.replace(at, 10, R"("Splendid")");
     }},
    {"tdx.tcb.current_level", "CurrentModuleUnknown",
     [](TdxPlatform& p) {
       p.version = 5;
       p.td15 = true;
       p.body.resize(tdx::kTd15Size);
       p.SetBody(tdx::kTeeTcbSvn2.offset, Bytes{6, 9, 5});
     }},
    {"tdx.td.debug", "DebugTd",
     [](TdxPlatform& p) { p.SetBody(tdx::kTdAttributes.offset, Bytes{1}); }},
    {"tdx.td.debug", "OtherBitOfTheDebugGroup",
     [](TdxPlatform& p) { p.SetBody(tdx::kTdAttributes.offset, Bytes{0x10}); }},
    {"tdx.td.sept_ve_disable", "NoSeptVeDisable",
     [](TdxPlatform& p) { p.SetBody(tdx::kTdAttributes.offset, Bytes{0, 0, 0, 0}); }},
    {"tdx.td.attributes", "Migratable",
     [](TdxPlatform& p) { p.SetBody(tdx::kTdAttributes.offset, Bytes{0, 0, 0, 0x30}); }},
    {"tdx.td.attributes", "UnknownAttribute",
     [](TdxPlatform& p) { p.SetBody(tdx::kTdAttributes.offset + 5, Bytes{1}); }},
    {"tdx.td.xfam", "XfamFixedOneClear",
     [](TdxPlatform& p) { p.SetBody(tdx::kXfam.offset, Bytes{0xe6}); }},
    {"tdx.td.xfam", "XfamReservedSet",
     [](TdxPlatform& p) { p.SetBody(tdx::kXfam.offset + 3, Bytes{1}); }},
    {"tdx.td.service_td", "ServiceTd",
     [](TdxPlatform& p) {
       p.version = 5;
       p.td15 = true;
       p.body.resize(tdx::kTd15Size);
       p.SetBody(tdx::kTeeTcbSvn2.offset, Bytes{6, 1, 5});
       p.SetBody(tdx::kMrServiceTd.offset, Bytes{1});
     }},
    {"tdx.td.mrtd", "MrtdZero", [](TdxPlatform& p) { p.SetBody(tdx::kMrTd.offset, Bytes(48, 0)); }},
    {"policy.tcb_status", "ModuleOutOfDate",
     [](TdxPlatform& p) { p.SetBody(tdx::kTeeTcbSvn.offset, Bytes{4, 1, 5}); }},
    {"policy.tcb_status", "EnclaveRevoked",
     [](TdxPlatform& p) { p.Replace(p.qe_identity, R"("UpToDate")", R"("Revoked")"); }},
};

INSTANTIATE_TEST_SUITE_P(EveryRule, TdxRule, ::testing::ValuesIn(kBad),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(TdxVerify, NeedsCollateralAndATrustedRoot) {
  TdxPlatform p;
  p.Build();
  const Policy own = p.StrictPolicyOfTest();
  EXPECT_EQ(FirstFailure(p.Check(StrictPolicy())), "tdx.pck_chain.root");
  EXPECT_EQ(ErrorCode(p.Check(StrictPolicy())), "evidence.untrusted_root");
  p.collateral.tdx.reset();
  EXPECT_EQ(FirstFailure(p.Check(own)), "tdx.collateral.present");
}

TEST(TdxVerify, AKeyPinnedRootMustSignItself) {
  TdxPlatform p;
  p.Build();
  Policy policy = p.StrictPolicyOfTest();
  // Pinned by the key's digest instead of the certificate's.
  const Bytes spki_prefix = *FromHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
  Bytes spki = spki_prefix;
  Append(spki, testing::PublicPoint(p.root_key));
  policy.roots[0].sha256 = crypto::Sha256(spki);
  EXPECT_EQ(FirstFailure(p.Check(policy)), "accepted");
  // The same key in a certificate that somebody else signed.
  p.root.issuer_key = testing::NewEcKey("P-256");
  p.Build();
  EXPECT_EQ(FirstFailure(p.Check(policy)), "tdx.pck_chain.root");
}

TEST(TdxVerify, StatusesConverge) {
  using S = TcbStatus;
  EXPECT_EQ(Converge(S::kUpToDate, {S::kUpToDate, S::kUpToDate}), S::kUpToDate);
  EXPECT_EQ(Converge(S::kUpToDate, {S::kOutOfDate, S::kUpToDate}), S::kOutOfDate);
  EXPECT_EQ(Converge(S::kSwHardeningNeeded, {S::kUpToDate, S::kOutOfDate}), S::kOutOfDate);
  EXPECT_EQ(Converge(S::kConfigurationNeeded, {S::kOutOfDate}), S::kOutOfDateConfigurationNeeded);
  EXPECT_EQ(Converge(S::kConfigurationAndSwHardeningNeeded, {S::kOutOfDate}),
            S::kOutOfDateConfigurationNeeded);
  EXPECT_EQ(Converge(S::kOutOfDate, {S::kRevoked}), S::kRevoked);
  EXPECT_EQ(Converge(S::kRevoked, {S::kUpToDate}), S::kRevoked);
}

TEST(TdxVerify, RelaunchIsAdvisedWhereOnlyTheLaunchIsOld) {
  using S = TcbStatus;
  EXPECT_EQ(WithRelaunch(S::kOutOfDate, S::kUpToDate), S::kTdRelaunchAdvised);
  EXPECT_EQ(WithRelaunch(S::kOutOfDate, S::kSwHardeningNeeded), S::kTdRelaunchAdvised);
  EXPECT_EQ(WithRelaunch(S::kOutOfDate, S::kConfigurationNeeded),
            S::kTdRelaunchAdvisedConfigurationNeeded);
  EXPECT_EQ(WithRelaunch(S::kOutOfDateConfigurationNeeded, S::kUpToDate),
            S::kTdRelaunchAdvisedConfigurationNeeded);
  EXPECT_EQ(WithRelaunch(S::kOutOfDate, S::kOutOfDate), S::kOutOfDate);
  EXPECT_EQ(WithRelaunch(S::kUpToDate, S::kUpToDate), S::kUpToDate);
  EXPECT_EQ(WithRelaunch(S::kUpToDate, S::kOutOfDate), S::kOutOfDate);
  EXPECT_EQ(WithRelaunch(S::kOutOfDate, S::kRevoked), S::kRevoked);

  TdxPlatform p;
  p.version = 5;
  p.td15 = true;
  p.body.resize(tdx::kTd15Size);
  p.SetBody(tdx::kTeeTcbSvn.offset, Bytes{4, 1, 5});
  p.SetBody(tdx::kTeeTcbSvn2.offset, Bytes{6, 1, 5});
  p.Build();
  Policy policy = p.StrictPolicyOfTest();
  policy.tcb_statuses.push_back({"TDRelaunchAdvised", std::nullopt, ""});
  const Verdict v = p.Check(policy);
  EXPECT_TRUE(v.accepted) << ToText(v, false);
  EXPECT_EQ(v.tcb_status, TcbStatus::kTdRelaunchAdvised);
  EXPECT_EQ(v.current_tcb_status, TcbStatus::kUpToDate);
  EXPECT_EQ(v.advisory_ids, std::vector<std::string>{"T-MODULE"});
}

TEST(TdxVerify, TheModulesOwnComponentsDoNotCountWhereItHasAnIdentity) {
  TdxPlatform p;
  // Component 0 (6) is below the level's, but belongs to the module, whose own levels judge it.
  p.Replace(p.tcb_info, R"("tdxtcbcomponents":[{"svn":6)", R"("tdxtcbcomponents":[{"svn":9)");
  p.Build();
  EXPECT_EQ(FirstFailure(p.Check()), "accepted");
  p.Replace(p.tcb_info, R"({"svn":1},{"svn":5})", R"({"svn":1},{"svn":6})");
  p.Build();
  EXPECT_EQ(p.Check().tcb_status, TcbStatus::kOutOfDate);
}

TEST(TdxVerify, SaysWhatIsShort) {
  TdxPlatform p;
  p.SetBody(tdx::kTeeTcbSvn.offset, Bytes{4, 1, 5});
  p.Build();
  const Verdict v = p.Check();
  ASSERT_TRUE(v.first_failure.has_value());
  EXPECT_EQ(v.first_failure->expected, "UpToDate");
  EXPECT_EQ(v.first_failure->actual, "OutOfDate");
  EXPECT_NE(v.first_failure->mend.find("TDX module SVN is 4, needs 6"), std::string::npos)
      << v.first_failure->mend;
  EXPECT_EQ(v.advisory_ids, std::vector<std::string>{"T-MODULE"});
}

TEST(TdxVerify, TheQeAuthenticationDataMayHaveAnyLength) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{300}}) {
    TdxPlatform p;
    p.qe_auth.assign(size, 7);
    p.Build();
    EXPECT_EQ(FirstFailure(p.Check()), "accepted") << size;
  }
}

TEST(TdxVerify, TrailingBytesAreNeitherHashedNorRefused) {
  TdxPlatform p;
  p.Build();
  p.quote.resize(p.quote.size() + 500, 0xee);
  EXPECT_EQ(FirstFailure(p.Check()), "accepted");
  p.quote.resize(tdx::kMaxQuoteSize + 1);
  EXPECT_EQ(FirstFailure(p.Check()), "evidence.form");
}

TEST(TdxVerify, TruncationAtEveryByteIsRefused) {
  TdxPlatform p;
  p.Build();
  const Bytes whole = p.quote;
  for (size_t size = 0; size < whole.size(); size += size < 1300 ? 1 : 97) {
    p.quote.assign(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    const Verdict v = p.Check();
    ASSERT_FALSE(v.accepted) << size;
    ASSERT_TRUE(v.first_failure.has_value());
  }
}

TEST(TdxVerify, EveryLengthFieldIsChecked) {
  TdxPlatform p;
  p.Build();
  const Bytes whole = p.quote;
  const size_t base = tdx::kHeaderSize + tdx::kTd10Size;
  const size_t auth = base + 4 + 128 + 6 + 384 + 64;
  for (const size_t at : {base, base + 4 + 128 + 2, auth, auth + 2 + 32 + 2}) {
    for (const int step : {-1, 1}) {
      p.quote = whole;
      p.quote[at] = static_cast<uint8_t>(p.quote[at] + step);
      EXPECT_FALSE(p.Check().accepted) << at << " " << step;
    }
    p.quote = whole;
    p.quote[at + 1] = 0xff;
    EXPECT_FALSE(p.Check().accepted) << at;
  }
}

TEST(TdxVerify, OtherKindsAreRefusedByName) {
  TdxPlatform p;
  p.Build();
  const auto error_of = [&](size_t at, uint8_t value) {
    Bytes quote = p.quote;
    quote[at] = value;
    const Result<TdxQuote> parsed = ParseTdxQuote(quote);
    return parsed ? "parsed" : parsed.error().code + ": " + parsed.error().found;
  };
  EXPECT_EQ(error_of(0, 3), "evidence.unsupported: 3");
  EXPECT_EQ(error_of(2, 3), "evidence.unsupported: 3");
  EXPECT_EQ(error_of(4, 0), "evidence.unsupported: 0 (SGX)");
  const size_t type = tdx::kHeaderSize + tdx::kTd10Size + 4 + 128;
  EXPECT_EQ(error_of(type, 1), "evidence.unsupported: 1 (PPID in the clear)");
}

TEST(TdxVerify, WindowEndsAreInclusive) {
  TdxPlatform p;
  p.Build();
  const Policy policy = p.StrictPolicyOfTest();
  const UnixSeconds end = *p.Check().valid_until;
  EXPECT_TRUE(p.Check(policy, end).accepted);
  EXPECT_FALSE(p.Check(policy, end + 1).accepted);
}

}  // namespace
}  // namespace cce::attest
