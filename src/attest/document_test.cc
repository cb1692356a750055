// A document of collateral by itself: what is taken, what is refused and why.
#include "attest/document.h"

#include <gtest/gtest.h>

#include "attest/test_platform.h"

namespace cce::attest {
namespace {

using testing::kDay;
using testing::kNow;

std::string CodeOf(const Result<DocumentFacts>& facts) {
  return facts ? "good" : facts.error().code;
}
// The rule that an error names: "... (tdx.pck_crl.fresh)".
std::string RuleOf(const Result<DocumentFacts>& facts) {
  if (facts) return "good";
  const std::string& text = facts.error().message;
  const size_t at = text.rfind('(');
  return at == std::string::npos ? text : text.substr(at + 1, text.size() - at - 2);
}

struct Tdx : testing::TdxPlatform {
  // Builds, and gives the PCK CRL the chain that a service sends with it.
  void Make() {
    Build();
    const std::vector<Bytes> pck = *ParsePemChain(AsText(ParseTdxQuote(quote)->pck_chain_pem));
    collateral.tdx->pck_crl_chain = {pck[1], pck[2]};
  }
  CollateralDocument Of(DocumentKind kind) const {
    for (const CollateralDocument& document : DocumentsOf(collateral)) {
      if (document.kind == kind) return document;
    }
    ADD_FAILURE() << KindName(kind);
    return {};
  }
  Result<DocumentFacts> Verify(DocumentKind kind, UnixSeconds time = kNow,
                               ByteView root_crl_der = {}) const {
    return VerifyDocument(Of(kind), StrictPolicyOfTest().roots, time, root_crl_der);
  }
};

TEST(CollateralDocument, EachOfATdxSetIsVerifiedByItself) {
  Tdx p;
  p.pck_crl.number = 0x1234;
  p.Make();
  const auto root_crl = p.Verify(DocumentKind::kRootCrl);
  ASSERT_TRUE(root_crl) << FormatError(root_crl.error());
  EXPECT_EQ(root_crl->subject, "root");
  EXPECT_TRUE(root_crl->development);
  const auto pck_crl = p.Verify(DocumentKind::kPckCrl);
  ASSERT_TRUE(pck_crl) << FormatError(pck_crl.error());
  EXPECT_EQ(pck_crl->subject, "platform");
  EXPECT_EQ(ToHex(pck_crl->crl_number), "1234");
  EXPECT_EQ(pck_crl->next_update, kNow + 29 * kDay);
  const auto info = p.Verify(DocumentKind::kTcbInfo);
  ASSERT_TRUE(info) << FormatError(info.error());
  EXPECT_EQ(info->subject, "b0c06f000000");
  EXPECT_EQ(info->evaluation_number, 20u);
  EXPECT_EQ(info->until, info->next_update);
  const auto qe = p.Verify(DocumentKind::kQeIdentity);
  ASSERT_TRUE(qe) << FormatError(qe.error());
  EXPECT_EQ(qe->subject, "td_qe");
}

TEST(CollateralDocument, EachOfAnSnpSetIsVerifiedByItself) {
  for (const bool vlek : {false, true}) {
    testing::SnpPlatform p;
    p.vlek = vlek;
    p.Become("Milan");
    p.Build();
    const std::vector<TrustedRoot> roots = p.StrictPolicyOfTest().roots;
    std::vector<std::string> subjects;
    for (const CollateralDocument& document : DocumentsOf(p.collateral)) {
      const auto facts = VerifyDocument(document, roots, kNow, p.collateral.snp->crl);
      ASSERT_TRUE(facts) << FormatError(facts.error());
      subjects.push_back(ToString({document.kind, facts->subject}));
    }
    const auto need = GenuineNeedOf(*ParseEvidence(p.signed_report), roots, kNow);
    ASSERT_TRUE(need) << FormatError(need.error());
    for (const DocumentKey& key : KeysOf(*need, true)) {
      EXPECT_NE(std::ranges::find(subjects, ToString(key)), subjects.end()) << ToString(key);
    }
  }
}

TEST(CollateralDocument, NeedsItsWholeChain) {
  Tdx p;
  p.Make();
  for (const DocumentKind kind : {DocumentKind::kRootCrl, DocumentKind::kPckCrl,
                                  DocumentKind::kTcbInfo, DocumentKind::kQeIdentity}) {
    CollateralDocument document = p.Of(kind);
    document.chain.pop_back();
    const auto roots = p.StrictPolicyOfTest().roots;
    EXPECT_EQ(RuleOf(VerifyDocument(document, roots, kNow)), "collateral.issuer_chain");
    document.chain = {Bytes{0x30, 0x00}};
    EXPECT_EQ(RuleOf(VerifyDocument(document, roots, kNow)), "collateral.issuer_chain");
  }
}

TEST(CollateralDocument, EndsInANamedRoot) {
  Tdx p, other;
  p.Make();
  other.Make();
  const auto verify = [&](DocumentKind kind) {
    return VerifyDocument(p.Of(kind), other.StrictPolicyOfTest().roots, kNow);
  };
  for (const DocumentKind kind : {DocumentKind::kRootCrl, DocumentKind::kPckCrl,
                                  DocumentKind::kTcbInfo, DocumentKind::kQeIdentity}) {
    EXPECT_EQ(RuleOf(verify(kind)), "collateral.issuer_root");
    EXPECT_EQ(CodeOf(verify(kind)), "evidence.untrusted_root");
  }
  testing::SnpPlatform s;
  s.Build();
  for (const CollateralDocument& document : DocumentsOf(s.collateral)) {
    EXPECT_EQ(RuleOf(VerifyDocument(document, StrictPolicy().roots, kNow)), "snp.chain.root");
  }
}

TEST(CollateralDocument, IsSignedByItsIssuer) {
  Tdx p, other;
  p.Make();
  other.Make();
  const auto roots = p.StrictPolicyOfTest().roots;
  for (const auto& [kind, rule] :
       {std::pair{DocumentKind::kRootCrl, "tdx.root_crl.signature"},
        std::pair{DocumentKind::kPckCrl, "tdx.pck_crl.signature"},
        std::pair{DocumentKind::kTcbInfo, "tdx.tcb_info.signature"},
        std::pair{DocumentKind::kQeIdentity, "tdx.qe_identity.signature"}}) {
    CollateralDocument document = other.Of(kind);
    document.chain = p.Of(kind).chain;
    EXPECT_EQ(RuleOf(VerifyDocument(document, roots, kNow)), rule);
  }
}

TEST(CollateralDocument, IsInForce) {
  Tdx p;
  p.Make();
  for (const auto& [kind, rule] : {std::pair{DocumentKind::kRootCrl, "tdx.root_crl.fresh"},
                                   std::pair{DocumentKind::kPckCrl, "tdx.pck_crl.fresh"},
                                   std::pair{DocumentKind::kTcbInfo, "tdx.tcb_info.fresh"},
                                   std::pair{DocumentKind::kQeIdentity, "tdx.qe_identity.fresh"}}) {
    EXPECT_EQ(RuleOf(p.Verify(kind, kNow + 40 * kDay)), rule);
    EXPECT_EQ(RuleOf(p.Verify(kind, kNow - 10 * kDay)), rule);
  }
}

TEST(CollateralDocument, IsOfTdxAndOfTheRightKind) {
  Tdx p;
  p.Replace(p.tcb_info, R"("id":"TDX")", R"("id":"SGX")");
  p.Replace(p.qe_identity, R"("id":"TD_QE")", R"("id":"QE")");
  p.Make();
  EXPECT_EQ(CodeOf(p.Verify(DocumentKind::kTcbInfo)), "evidence.collateral");
  EXPECT_EQ(RuleOf(p.Verify(DocumentKind::kQeIdentity)), "tdx.qe_identity.id");
  CollateralDocument swapped = p.Of(DocumentKind::kPckCrl);
  swapped.kind = DocumentKind::kRootCrl;
  EXPECT_EQ(RuleOf(VerifyDocument(swapped, p.StrictPolicyOfTest().roots, kNow)),
            "tdx.root_crl.issuer");
}

// Else a stolen and revoked signing key could still replace what is kept.
TEST(CollateralDocument, OfARevokedIssuerIsRefused) {
  Tdx p;
  p.root_crl.revoked = {p.signing.serial, p.ca.serial};
  p.Make();
  const Bytes root_crl = p.collateral.tdx->root_crl;
  EXPECT_EQ(RuleOf(p.Verify(DocumentKind::kTcbInfo, kNow, root_crl)),
            "tdx.tcb_signing.not_revoked");
  EXPECT_EQ(RuleOf(p.Verify(DocumentKind::kPckCrl, kNow, root_crl)), "tdx.pck_ca.not_revoked");
  // The CRL that says so is itself good: it must be taken.
  EXPECT_EQ(RuleOf(p.Verify(DocumentKind::kRootCrl)), "good");
  testing::SnpPlatform s;
  s.crl.revoked = {s.ask.serial};
  s.Build();
  for (const CollateralDocument& document : DocumentsOf(s.collateral)) {
    const bool crl = document.kind == DocumentKind::kSnpCrl;
    EXPECT_EQ(
        RuleOf(VerifyDocument(document, s.StrictPolicyOfTest().roots, kNow, s.collateral.snp->crl)),
        crl ? "good" : "snp.ask.not_revoked");
  }
}

TEST(CollateralDocument, AnOlderOneIsKnownByNumberOrDate) {
  const DocumentFacts kept{.issued = 100, .evaluation_number = 20, .crl_number = {1, 0}};
  const auto with = [&](auto change) {
    DocumentFacts next = kept;
    change(next);
    return OlderThan(next, kept);
  };
  EXPECT_EQ(OlderThan(kept, kept), "");
  EXPECT_NE(with([](DocumentFacts& f) { f.issued = 99; }), "");
  EXPECT_NE(with([](DocumentFacts& f) { f.evaluation_number = 19; }), "");
  EXPECT_NE(with([](DocumentFacts& f) { f.crl_number = {0xff}; }), "");
  EXPECT_NE(with([](DocumentFacts& f) { f.crl_number = {}; }), "");
  EXPECT_EQ(with([](DocumentFacts& f) { f.crl_number = {1, 1}; }), "");
  EXPECT_EQ(with([](DocumentFacts& f) { f.issued = 101; }), "");
}

TEST(CollateralDocument, OnlyAGenuinePlatformNeedsAnything) {
  Tdx p, other;
  p.Make();
  other.Make();
  const Evidence evidence = *ParseEvidence(p.quote);
  const auto need = GenuineNeedOf(evidence, p.StrictPolicyOfTest().roots, kNow);
  ASSERT_TRUE(need) << FormatError(need.error());
  EXPECT_EQ(need->fmspc, "b0c06f000000");
  EXPECT_EQ(need->root, p.root_der);
  const auto stranger = GenuineNeedOf(evidence, other.StrictPolicyOfTest().roots, kNow);
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, "evidence.untrusted_root");
}

TEST(CollateralDocument, KindsHaveNames) {
  for (const char* name :
       {"tcb_info", "qe_identity", "pck_crl", "root_crl", "snp_chain", "snp_crl", "vek"}) {
    ASSERT_TRUE(KindFromName(name)) << name;
    EXPECT_EQ(KindName(*KindFromName(name)), name);
  }
  EXPECT_FALSE(KindFromName("other"));
}

}  // namespace
}  // namespace cce::attest
