// The remembering verifier, and what verdicts say.
#include <gtest/gtest.h>

#include <thread>

#include "attest/tdx_layout.h"
#include "attest/test_platform.h"
#include "base/file.h"

namespace cce::attest {
namespace {

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

TEST(Verifier, ARevocationAfterAWarmVerificationIsSeen) {
  TdxPlatform p;
  p.Build();
  const Policy policy = p.StrictPolicyOfTest();
  const Evidence evidence = *ParseEvidence(p.quote);
  const Verifier verifier;
  EXPECT_TRUE(verifier.Verify(evidence, p.collateral, policy, kNow, kNone).accepted);
  p.pck_crl.revoked = {0xabcdef};
  Collateral revoked = p.collateral;
  revoked.tdx->pck_crl = testing::MakeCrl(p.pck_crl);
  EXPECT_EQ(FirstFailure(verifier.Verify(evidence, revoked, policy, kNow, kNone)),
            "tdx.pck.not_revoked");
}

TEST(Verifier, NothingOutlivesItsWindow) {
  TdxPlatform p;
  p.Build();
  const Policy policy = p.StrictPolicyOfTest();
  const Evidence evidence = *ParseEvidence(p.quote);
  const Verifier verifier;
  const Verdict now = verifier.Verify(evidence, p.collateral, policy, kNow, kNone);
  ASSERT_TRUE(now.accepted);
  const UnixSeconds end = *now.valid_until;
  EXPECT_TRUE(verifier.Verify(evidence, p.collateral, policy, end, kNone).accepted);
  EXPECT_FALSE(verifier.Verify(evidence, p.collateral, policy, end + 1, kNone).accepted);
  EXPECT_FALSE(
      verifier.Verify(evidence, p.collateral, policy, kNow - 400 * testing::kDay, kNone).accepted);
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
