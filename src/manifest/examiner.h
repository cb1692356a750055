// The examination of one bundle, step by step. How evidence is judged is handed in, so that every
// step can be tested without a chip. Internal to src/manifest.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "attest/verify.h"
#include "manifest/verify.h"
#include "protocol/credential.h"
#include "protocol/dataset_policy.h"
#include "protocol/launch_document.h"

namespace cce::manifest {

// Collateral in its text form. An error: the collateral cannot be read.
using EvidenceJudge = std::function<Result<attest::Verdict>(
    ByteView evidence, std::string_view collateral, const attest::Policy& policy, UnixSeconds time,
    const attest::ExpectedBinding& binding)>;

// attest::Verifier, remembering chains within one examination.
EvidenceJudge AttestJudge();

// For one use. The arguments outlive it.
class Examiner {
 public:
  Examiner(ByteView output_tar, const Bundle& bundle, const Trust& trust, EvidenceJudge judge)
      : tar_(output_tar), bundle_(bundle), trust_(trust), judge_(std::move(judge)) {}

  Report Examine(bool allow_development);

 private:
  struct OwnersPolicy {
    protocol::DatasetPolicy document;
    attest::Policy attestation;
  };
  struct Judged {
    attest::Verdict verdict;
    attest::Evidence evidence;
  };
  // A step's result is what it established, for people.
  using Said = Result<std::string>;

  bool Run(std::string name, const std::function<Said()>& step);
  bool RunPolicies();

  // examiner.cc
  Said CheckSignature();
  Said CheckCced();
  Said CheckResult();
  Said CheckLog();
  Said CheckDevelopment(bool allowed);

  // machine_checks.cc
  Said CheckJob();
  Result<> CheckJobSpec();
  Result<> CheckLaunchDocument();
  Result<> CheckCredential(std::string_view token, protocol::CredentialPurpose purpose,
                           const Digest32& release_key);
  Said CheckPolicy(size_t index);
  Said CheckKeysMachine();
  Said CheckResultMachine();
  // Under every owner's policy; the verdict under the last one.
  Result<Judged> JudgeMachine(ByteView evidence, std::string_view collateral,
                              const protocol::ReportData& report_data, UnixSeconds time);
  void NoteDevelopment(std::string_view whose, const attest::Verdict& verdict);

  const Statement& statement() const { return *report_.statement; }

  const ByteView tar_;
  const Bundle& bundle_;
  const Trust& trust_;
  const EvidenceJudge judge_;

  Report report_;
  const TrustedCced* trusted_ = nullptr;
  protocol::IdentityDocument identity_;
  protocol::JobSpec spec_;
  std::vector<OwnersPolicy> policies_;
  attest::Measurement keys_registers_;
};

// A value that is another one than the signed statement's.
Unexpected Differs(std::string_view code, std::string message, std::string expected,
                   std::string found);

}  // namespace cce::manifest
