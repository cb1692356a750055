#include "privacy_plane/tee_verifier/tee_verifier.h"

#include <algorithm>
#include <random>

#include "base/log.h"

namespace cce::privacy_plane {
namespace {

// The operator's roots and the vendors': which of them evidence may end in is for policies to say.
std::vector<attest::TrustedRoot> CollateralRoots(const attest::Policy& policy) {
  std::vector<attest::TrustedRoot> out = policy.roots;
  for (const attest::TrustedRoot& vendor : attest::VendorRoots()) {
    const bool known = std::ranges::any_of(
        out, [&](const attest::TrustedRoot& root) { return root.sha256 == vendor.sha256; });
    if (!known) out.push_back(vendor);
  }
  return out;
}

// For pauses, where nothing secret depends on it.
std::function<double()> Jitter() {
  auto engine = std::make_shared<std::minstd_rand>(std::random_device{}());
  return [engine] { return std::uniform_real_distribution<double>()(*engine); };
}

// A VLEK is not served by chip; and where the evidence carries its VEK, that one is meant.
bool NeedsVek(const attest::Evidence& evidence, const attest::CollateralNeed& need) {
  return need.tee == attest::Tee::kSnp && !need.vlek && evidence.certificates.vek.empty();
}

}  // namespace

TeeVerifier::TeeVerifier(std::unique_ptr<tsm::Attester> attester, CollateralOptions collateral,
                         attest::Policy operator_policy, const Clock& clock)
    : attester_(std::move(attester)),
      operator_policy_(std::move(operator_policy)),
      roots_(CollateralRoots(operator_policy_)),
      clock_(clock),
      collateral_(std::move(collateral), roots_, clock, Jitter()) {}

Result<std::unique_ptr<TeeVerifier>> TeeVerifier::New(std::unique_ptr<tsm::Attester> attester,
                                                      CollateralOptions collateral,
                                                      const json::object& operator_policy,
                                                      const Clock& clock) {
  attest::Policy policy = attest::StrictPolicy();
  if (!operator_policy.empty()) {
    ASSIGN_OR_RETURN(policy, attest::ReadPolicy(operator_policy, "attestation.policy"));
  }
  return std::unique_ptr<TeeVerifier>(
      new TeeVerifier(std::move(attester), std::move(collateral), std::move(policy), clock));
}

void TeeVerifier::Start() {
  collateral_.Load();
  collateral_.Start();
  const auto own = attester_->Attest({});
  if (!own) return LogError(LogLevel::kWarn, "tee.no_own_evidence", own.error());
  const auto evidence = attest::ParseEvidence(own->Whole());
  if (!evidence) return LogError(LogLevel::kWarn, "tee.no_own_evidence", evidence.error());
  const auto need = attest::GenuineNeedOf(*evidence, roots_, clock_.Now());
  if (!need) return LogError(LogLevel::kWarn, "tee.no_own_evidence", need.error());
  collateral_.Expect(*need, NeedsVek(*evidence, *need));
}

Result<TeeVerifier::Set> TeeVerifier::CollateralFor(const attest::Evidence& evidence,
                                                    UnixSeconds now, bool own) {
  const Result<attest::CollateralNeed> need = attest::GenuineNeedOf(evidence, roots_, now);
  if (need) return collateral_.For(*need, NeedsVek(evidence, *need), now);
  if (own) return Unexpected(need.error());
  // Nothing is fetched for evidence that is not even a genuine platform's; the verifier, with an
  // empty set, says what is wrong with it.
  auto empty = std::make_shared<CollateralService::Set>();
  if (evidence.tee == attest::Tee::kTdx) empty->collateral.tdx.emplace();
  return Set(std::move(empty));
}

Result<GuestJudgement> TeeVerifier::Judge(ByteView evidence,
                                          const std::vector<NamedPolicy>& policies, UnixSeconds now,
                                          const attest::ExpectedBinding& binding) {
  GuestJudgement judgement;
  const Result<attest::Evidence> parsed = attest::ParseEvidence(evidence);
  if (!parsed) {
    judgement.verdict = attest::VerifyBytes(evidence, {}, attest::StrictPolicy(), now, binding);
    return judgement;
  }
  ASSIGN_OR_RETURN(const Set set, CollateralFor(*parsed, now, /*own=*/false));
  judgement.collateral = set->bundle;
  const auto refused_by = [&](const std::string& whose, const attest::Policy& policy) {
    judgement.verdict = verifier_.Verify(*parsed, set->collateral, policy, now, binding);
    judgement.development = judgement.development || judgement.verdict.development;
    if (!judgement.verdict.accepted) judgement.whose = whose;
    return !judgement.verdict.accepted;
  };
  if (refused_by("operator", operator_policy_)) return judgement;
  if (policies.empty()) return judgement;  // nobody allowed anything
  for (const NamedPolicy& named : policies) {
    if (refused_by(named.whose, named.policy)) return judgement;
  }
  judgement.accepted = true;
  return judgement;
}

Result<TeeVerifier::OwnEvidence> TeeVerifier::AttestSelf(const protocol::ReportData& report_data) {
  ASSIGN_OR_RETURN(const tsm::TsmEvidence evidence, attester_->Attest(report_data));
  Bytes whole = evidence.Whole();
  ASSIGN_OR_RETURN(const attest::Evidence parsed, attest::ParseEvidence(whole));
  ASSIGN_OR_RETURN(const Set set, CollateralFor(parsed, clock_.Now(), /*own=*/true));
  return OwnEvidence{std::move(whole), set->bundle};
}

std::vector<std::string> TeeVerifier::OperatorRoots() const {
  std::vector<std::string> out;
  out.reserve(operator_policy_.roots.size());
  for (const attest::TrustedRoot& root : operator_policy_.roots) {
    out.push_back(root.name + ":" + ToHex(root.sha256));
  }
  return out;
}

bool TeeVerifier::AcceptsDevelopmentRoots() const {
  return std::ranges::any_of(operator_policy_.roots,
                             [](const attest::TrustedRoot& root) { return !root.vendor; });
}

}  // namespace cce::privacy_plane
