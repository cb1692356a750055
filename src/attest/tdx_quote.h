// The quote and TCB stages for TDX. Internal to src/attest.
#pragma once

#include "attest/checks.h"
#include "attest/tdx_trust.h"
#include "attest/types.h"
#include "attest/verdict.h"

namespace cce::attest {

// The TDX module, the quoting enclave and its signature, under believed collateral.
Check CheckTdxQuote(const TdxQuote& quote, const TdxTrust& trust);

// Intel's TCB evaluation (DCAP-QVL 4.1.2.5.2), launch and current.
struct TcbResult {
  std::optional<TcbStatus> status;
  std::vector<std::string> advisories;  // sorted, unique
  std::optional<UnixSeconds> date;
  std::optional<TcbStatus> current_status;
  std::vector<std::string> current_advisories;
  std::string mend;  // which components are short of the newest level
};
Check EvaluateTdxTcb(const TdxQuote& quote, const TdxTrust& trust, TcbResult& result);

// MRSIGNERSEAM and SEAMATTRIBUTES against the TCB info's entry for the module's major version.
void CheckModule(Checks& checks, const TdBody& body, const TcbInfo& info);

// Worse of a platform's status and those of its components.
TcbStatus Converge(TcbStatus platform, std::initializer_list<TcbStatus> components);
// What a launch under one status and a module now under another make together.
TcbStatus WithRelaunch(TcbStatus launch, TcbStatus current);

}  // namespace cce::attest
