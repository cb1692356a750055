// The TEE Verifier module: cced's one way to judge evidence (attest::Verifier, with what it has
// verified remembered), and to give its own. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "attest/verify.h"
#include "privacy_plane/tee_verifier/collateral_service.h"
#include "protocol/report_data.h"
#include "tsm/attester.h"

namespace cce::privacy_plane {

// One policy that evidence must satisfy, and whose it is ("operator", or a dataset's id): shown in
// refusals.
struct NamedPolicy {
  std::string whose;
  attest::Policy policy;
};

struct GuestJudgement {
  bool accepted = false;
  attest::Verdict verdict;  // the first refusal, or the acceptance under the last policy
  std::string whose;        // of a refusal: the policy that refused
  std::string collateral;   // the bundle that it was judged with
  bool development = false;
};

class TeeVerifier {
 public:
  // `operator_policy`: attest's policy document; empty: nothing is narrowed. Collateral is verified
  // under its roots and the vendors'. `clock` is kept referenced.
  static Result<std::unique_ptr<TeeVerifier>> New(std::unique_ptr<tsm::Attester> attester,
                                                  CollateralOptions collateral,
                                                  const json::object& operator_policy,
                                                  const Clock& clock);

  // Takes up what was kept, begins to fetch, and asks this machine's TEE once, so that its own
  // collateral is there before anybody asks. No failure: what is missing is logged and shows in
  // CollateralStatus.
  void Start();

  // Evidence must satisfy the operator's policy and each of `policies`. Never an error for evidence
  // that is bad: that is a judgement. Error: collateral.unavailable, after the longest wait at
  // most.
  Result<GuestJudgement> Judge(ByteView evidence, const std::vector<NamedPolicy>& policies,
                               UnixSeconds now, const attest::ExpectedBinding& binding);

  struct OwnEvidence {
    Bytes evidence;
    std::string collateral;
  };
  // Errors: tsm.*, collateral.unavailable, evidence.* (this machine's chain is not genuine).
  Result<OwnEvidence> AttestSelf(const protocol::ReportData& report_data);

  CollateralService::Status CollateralStatus() const { return collateral_.Report(); }

  // The roots that the operator's policy accepts, by name and digest; empty where it narrows
  // nothing.
  std::vector<std::string> OperatorRoots() const;
  // Whether the operator's policy leaves room for roots that are no vendor's.
  bool AcceptsDevelopmentRoots() const;

 private:
  TeeVerifier(std::unique_ptr<tsm::Attester> attester, CollateralOptions collateral,
              attest::Policy operator_policy, const Clock& clock);
  using Set = std::shared_ptr<const CollateralService::Set>;
  Result<Set> CollateralFor(const attest::Evidence& evidence, UnixSeconds now, bool own);

  const std::unique_ptr<tsm::Attester> attester_;
  const attest::Policy operator_policy_;
  const std::vector<attest::TrustedRoot> roots_;
  const Clock& clock_;
  const attest::Verifier verifier_;
  CollateralService collateral_;
};

}  // namespace cce::privacy_plane
