#include "privacy_plane/tee_verifier/tee_verifier.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"

namespace cce::privacy_plane {
namespace {

constexpr size_t kMaxCollateral = size_t{2} << 20;

}  // namespace

TeeVerifier::TeeVerifier(std::unique_ptr<tsm::Attester> attester, std::string collateral_path,
                         attest::Policy operator_policy)
    : attester_(std::move(attester)),
      collateral_path_(std::move(collateral_path)),
      operator_policy_(std::move(operator_policy)) {}

Result<std::unique_ptr<TeeVerifier>> TeeVerifier::New(std::unique_ptr<tsm::Attester> attester,
                                                      std::string collateral_path,
                                                      const json::object& operator_policy) {
  attest::Policy policy = attest::StrictPolicy();
  if (!operator_policy.empty()) {
    ASSIGN_OR_RETURN(policy, attest::ReadPolicy(operator_policy, "attestation.policy"));
  }
  return std::unique_ptr<TeeVerifier>(
      new TeeVerifier(std::move(attester), std::move(collateral_path), std::move(policy)));
}

Result<std::shared_ptr<const TeeVerifier::Loaded>> TeeVerifier::Collateral() {
  const std::lock_guard lock(mutex_);
  struct stat info{};
  if (::stat(collateral_path_.c_str(), &info) != 0) return FailErrno(collateral_path_, errno);
  if (loaded_ != nullptr && loaded_->modified.tv_sec == info.st_mtim.tv_sec &&
      loaded_->modified.tv_nsec == info.st_mtim.tv_nsec) {
    return loaded_;
  }
  auto loaded = std::make_shared<Loaded>();
  ASSIGN_OR_RETURN(loaded->text, ReadTextFile(collateral_path_, kMaxCollateral));
  ASSIGN_OR_RETURN(loaded->collateral, attest::ParseBundle(loaded->text));
  loaded->modified = info.st_mtim;
  loaded_ = std::move(loaded);
  return loaded_;
}

Result<GuestJudgement> TeeVerifier::Judge(ByteView evidence,
                                          const std::vector<NamedPolicy>& policies, UnixSeconds now,
                                          const attest::ExpectedBinding& binding) {
  ASSIGN_OR_RETURN(const auto loaded, Collateral());
  GuestJudgement judgement{.collateral = loaded->text};
  const Result<attest::Evidence> parsed = attest::ParseEvidence(evidence);
  if (!parsed) {
    judgement.verdict =
        attest::VerifyBytes(evidence, loaded->collateral, attest::StrictPolicy(), now, binding);
    return judgement;
  }
  const auto refused_by = [&](const std::string& whose, const attest::Policy& policy) {
    judgement.verdict = verifier_.Verify(*parsed, loaded->collateral, policy, now, binding);
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
  ASSIGN_OR_RETURN(const auto loaded, Collateral());
  ASSIGN_OR_RETURN(const tsm::TsmEvidence evidence, attester_->Attest(report_data));
  return OwnEvidence{evidence.Whole(), loaded->text};
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
