// The remembering verifier, and what verdicts say.
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "attest/tdx_layout.h"
#include "attest/test_platform.h"
#include "base/file.h"

namespace cce::attest {
namespace {

using testing::CrlSpec;
using testing::FirstFailure;
using testing::kNow;
using testing::SnpPlatform;
using testing::TdxPlatform;

const ExpectedBinding kNone = ExpectedBinding::WithoutReportData();

TEST(Verifier, GivesTheSameVerdictWarm) {
  TdxPlatform p;
  p.Build();
  const Policy policy = p.StrictPolicyOfTest();
  const Evidence evidence = *ParseEvidence(p.quote);
  const Verifier verifier;
  const std::string cold = ToJson(ToJsonObject(p.Check(policy)));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ToJson(ToJsonObject(verifier.Verify(evidence, p.collateral, policy, kNow, kNone))),
              cold);
  }
  SnpPlatform s;
  s.Build();
  const Policy snp_policy = s.StrictPolicyOfTest();
  const Evidence report = *ParseEvidence(s.signed_report);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ToJson(ToJsonObject(verifier.Verify(report, s.collateral, snp_policy, kNow, kNone))),
              ToJson(ToJsonObject(s.Check(snp_policy))));
  }
}

// A verifier that has accepted the platform's evidence once, and what it says of changed input.
class Warm {
 public:
  explicit Warm(TdxPlatform platform = TdxPlatform()) : p(std::move(platform)) {
    p.Build();
    policy = p.StrictPolicyOfTest();
    evidence = *ParseEvidence(p.quote);
    collateral = p.collateral;
    EXPECT_EQ(First(), "accepted");
    EXPECT_EQ(First(), "accepted");
  }
  std::string First(UnixSeconds time = kNow) const {
    return FirstFailure(verifier.Verify(evidence, collateral, policy, time, kNone));
  }
  SignedDocument Sign(const std::string& body) const {
    return {body, testing::SignRaw(p.signing_key, AsBytes(body))};
  }

  TdxPlatform p;
  Policy policy;
  Evidence evidence;
  Collateral collateral;
  Verifier verifier;
};

TEST(Verifier, ARevocationAfterAWarmVerificationIsSeen) {
  Warm warm;
  CrlSpec pck_crl = warm.p.pck_crl;
  pck_crl.revoked = {0xabcdef};
  warm.collateral.tdx->pck_crl = testing::MakeCrl(pck_crl);
  EXPECT_EQ(warm.First(), "tdx.pck.not_revoked");
  warm.collateral = warm.p.collateral;
  EXPECT_EQ(warm.First(), "accepted");
  CrlSpec root_crl = warm.p.root_crl;
  root_crl.revoked = {warm.p.ca.serial};
  warm.collateral.tdx->root_crl = testing::MakeCrl(root_crl);
  EXPECT_EQ(warm.First(), "tdx.pck_ca.not_revoked");
  root_crl.revoked = {warm.p.signing.serial};
  warm.collateral.tdx->root_crl = testing::MakeCrl(root_crl);
  EXPECT_EQ(warm.First(), "tdx.tcb_signing.not_revoked");
}

TEST(Verifier, AReplacedDocumentIsSeen) {
  Warm warm;
  std::string info = warm.p.tcb_info;
  warm.p.Replace(info, "UpToDate", "OutOfDate");
  warm.collateral.tdx->tcb_info = warm.Sign(info);
  EXPECT_EQ(warm.First(), "policy.tcb_status");
  warm.collateral = warm.p.collateral;
  std::string identity = warm.p.qe_identity;
  warm.p.Replace(identity, R"("isvprodid":2)", R"("isvprodid":3)");
  warm.collateral.tdx->qe_identity = warm.Sign(identity);
  EXPECT_EQ(warm.First(), "tdx.qe_report.isvprodid");
  // The bytes of one document with another's signature.
  warm.collateral.tdx->qe_identity.signature = warm.p.collateral.tdx->qe_identity.signature;
  EXPECT_EQ(warm.First(), "tdx.qe_identity.signature");
  warm.collateral = warm.p.collateral;
  EXPECT_EQ(warm.First(), "accepted");
}

TEST(Verifier, ARemovedRootIsSeen) {
  Warm warm;
  warm.policy.roots = VendorRoots();
  EXPECT_EQ(warm.First(), "tdx.pck_chain.root");
  warm.policy.roots.clear();
  EXPECT_EQ(warm.First(), "tdx.pck_chain.root");
}

// Whichever ends first: a warm verification holds in its last second, not in the next.
TEST(Verifier, NothingOutlivesItsWindow) {
  struct Limit {
    const char* rule;
    std::function<void(TdxPlatform&, UnixSeconds)> set;
  };
  const auto next_update = [](TdxPlatform& p, std::string& document, UnixSeconds end) {
    p.Replace(document, "2026-10-20T00:00:00Z", FormatTime(end));
  };
  const std::vector<Limit> limits = {
      {"tdx.pck_chain.validity", [](auto& p, UnixSeconds t) { p.pck.not_after = t; }},
      {"tdx.pck_chain.validity", [](auto& p, UnixSeconds t) { p.ca.not_after = t; }},
      {"tdx.pck_chain.validity", [](auto& p, UnixSeconds t) { p.root.not_after = t; }},
      {"tdx.root_crl.fresh", [](auto& p, UnixSeconds t) { p.root_crl.next_update = t; }},
      {"tdx.pck_crl.fresh", [](auto& p, UnixSeconds t) { p.pck_crl.next_update = t; }},
      {"tdx.tcb_signing.validity", [](auto& p, UnixSeconds t) { p.signing.not_after = t; }},
      {"tdx.tcb_info.fresh", [&](auto& p, UnixSeconds t) { next_update(p, p.tcb_info, t); }},
      {"tdx.qe_identity.fresh", [&](auto& p, UnixSeconds t) { next_update(p, p.qe_identity, t); }},
  };
  const UnixSeconds end = kNow + testing::kDay;
  for (const Limit& limit : limits) {
    TdxPlatform platform;
    limit.set(platform, end);
    const Warm warm(std::move(platform));
    EXPECT_EQ(warm.First(end), "accepted") << limit.rule;
    EXPECT_EQ(warm.First(end + 1), limit.rule);
  }
  EXPECT_NE(Warm().First(kNow - 400 * testing::kDay), "accepted");
}

TEST(Verifier, OtherRootsAreAnotherQuestion) {
  TdxPlatform p;
  p.Build();
  const Evidence evidence = *ParseEvidence(p.quote);
  const Verifier verifier;
  EXPECT_TRUE(
      verifier.Verify(evidence, p.collateral, p.StrictPolicyOfTest(), kNow, kNone).accepted);
  EXPECT_FALSE(verifier.Verify(evidence, p.collateral, StrictPolicy(), kNow, kNone).accepted);
  // A CRL that one policy does without does not serve another.
  SnpPlatform s;
  s.Build();
  Policy lax = s.StrictPolicyOfTest();
  lax.snp.require_crl = false;
  s.collateral.snp->crl.clear();
  const Evidence report = *ParseEvidence(s.signed_report);
  EXPECT_TRUE(verifier.Verify(report, s.collateral, lax, kNow, kNone).accepted);
  EXPECT_FALSE(verifier.Verify(report, s.collateral, s.StrictPolicyOfTest(), kNow, kNone).accepted);
}

TEST(Verifier, AChangedQuoteIsRefusedWarm) {
  TdxPlatform p;
  p.Build();
  const Policy policy = p.StrictPolicyOfTest();
  const Verifier verifier;
  EXPECT_TRUE(verifier.Verify(*ParseEvidence(p.quote), p.collateral, policy, kNow, kNone).accepted);
  p.quote[tdx::kHeaderSize + tdx::kMrOwner.offset] ^= 1;
  EXPECT_EQ(
      FirstFailure(verifier.Verify(*ParseEvidence(p.quote), p.collateral, policy, kNow, kNone)),
      "tdx.quote.signature");
}

TEST(Verifier, IsBoundedAndSharedByThreads) {
  const Verifier verifier(2);
  std::vector<TdxPlatform> platforms(4);
  for (TdxPlatform& p : platforms) p.Build();
  std::atomic<int> accepted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 8; ++i) {
        const TdxPlatform& p = platforms[static_cast<size_t>(i) % platforms.size()];
        accepted +=
            verifier
                .Verify(*ParseEvidence(p.quote), p.collateral, p.StrictPolicyOfTest(), kNow, kNone)
                .accepted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(accepted, 32);
}

TEST(Verdict, AFreshOneIsARefusal) {
  const Verdict verdict;
  EXPECT_FALSE(verdict.accepted);
  EXPECT_NE(verdict.reject_stage, Stage::kNone);
}

TEST(Verdict, ToErrorCarriesTheFirstFailure) {
  TdxPlatform p;
  p.SetBody(tdx::kTdAttributes.offset, Bytes{1});
  p.Build();
  const Verdict v = p.Check();
  const Error error = ToError(v);
  EXPECT_EQ(error.code, "evidence.debug");
  EXPECT_EQ(error.found, v.first_failure->actual);
  EXPECT_FALSE(error.next.empty());
  const std::string text = ToText(v, false);
  for (const char* part : {"REFUSED", "FAIL tdx.td.debug", "source    TDX Module ABI", "mend"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(Verdict, TheJsonHasTheStatedMembers) {
  TdxPlatform p;
  p.Build();
  const json::object v = ToJsonObject(p.Check());
  for (const char* key : {"accepted", "tee", "collateral_ok", "tcb_status", "advisory_ids",
                          "tcb_date", "first_failure", "fields", "checks"}) {
    EXPECT_TRUE(v.contains(key)) << key;
  }
  EXPECT_TRUE(v.at("first_failure").is_null());
  EXPECT_EQ(v.at("fields").at("mrtd").as_string().size(), 96u);
  EXPECT_EQ(v.at("tcb_date").as_string(), "2026-05-13T00:00:00Z");
  ASSERT_EQ(v.at("checks").as_array().size(), 5u);
}

TEST(Rules, AreUniqueAndMapToErrorCodes) {
  const auto [rules, count] = AllRules();
  for (size_t i = 0; i < count; ++i) {
    EXPECT_NE(FindErrorInfo(rules[i].error_code), nullptr) << rules[i].id;
    EXPECT_EQ(FindRule(rules[i].id), &rules[i]) << rules[i].id;
    EXPECT_FALSE(rules[i].mend.empty());
    EXPECT_FALSE(rules[i].source.empty());
  }
}

TEST(Rules, AreAllDocumented) {
  const Result<std::string> text = ReadTextFile(CCE_DOCS_DIR "/attestation.md", 1 << 20);
  ASSERT_TRUE(text.has_value());
  const auto [rules, count] = AllRules();
  for (size_t i = 0; i < count; ++i) {
    const std::string row = "| `" + std::string(rules[i].id) + "` |";
    EXPECT_NE(text->find(row), std::string::npos) << rules[i].id << " is not in attestation.md";
  }
}

// The annotated example in the documentation is a policy that reads.
TEST(Rules, TheDocumentedPolicyReads) {
  const Result<std::string> text = ReadTextFile(CCE_DOCS_DIR "/attestation.md", 1 << 20);
  ASSERT_TRUE(text.has_value());
  const size_t begin = text->find("```toml\n") + 8;
  const size_t end = text->find("```", begin);
  ASSERT_NE(end, std::string::npos);
  const Result<Document> document = ParseToml(text->substr(begin, end - begin), "example");
  ASSERT_TRUE(document.has_value()) << FormatError(document.error());
  const Result<Policy> policy = ReadPolicy(*document);
  EXPECT_TRUE(policy.has_value()) << FormatError(policy.error());
}

}  // namespace
}  // namespace cce::attest
