// The TEE Verifier module: cced's one way to judge evidence (attest::Verifier, with what it has
// verified remembered), and to give its own. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "attest/verify.h"
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
  // `collateral_path`: bundle file, read again whenever it changes. `operator_policy`: attest's
  // policy document; empty: nothing is narrowed.
  static Result<std::unique_ptr<TeeVerifier>> New(std::unique_ptr<tsm::Attester> attester,
                                                  std::string collateral_path,
                                                  const json::object& operator_policy);

  // Evidence must satisfy the operator's policy and each of `policies`. Never an error for evidence
  // that is bad: that is a judgement. Errors: collateral cannot be read.
  Result<GuestJudgement> Judge(ByteView evidence, const std::vector<NamedPolicy>& policies,
                               UnixSeconds now, const attest::ExpectedBinding& binding);

  struct OwnEvidence {
    Bytes evidence;
    std::string collateral;
  };
  Result<OwnEvidence> AttestSelf(const protocol::ReportData& report_data);

  // The roots that the operator's policy accepts, by name and digest; empty where it narrows
  // nothing.
  std::vector<std::string> OperatorRoots() const;
  // Whether the operator's policy leaves room for roots that are no vendor's.
  bool AcceptsDevelopmentRoots() const;

 private:
  TeeVerifier(std::unique_ptr<tsm::Attester> attester, std::string collateral_path,
              attest::Policy operator_policy);
  struct Loaded {
    attest::Collateral collateral;
    std::string text;
    timespec modified{};
  };
  Result<std::shared_ptr<const Loaded>> Collateral();

  const std::unique_ptr<tsm::Attester> attester_;
  const std::string collateral_path_;
  const attest::Policy operator_policy_;
  const attest::Verifier verifier_;
  std::mutex mutex_;
  std::shared_ptr<const Loaded> loaded_;
};

}  // namespace cce::privacy_plane
