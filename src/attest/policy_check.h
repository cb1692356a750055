// The policy stage, after cryptography. Internal to src/attest.
#pragma once

#include "attest/snp_trust.h"
#include "attest/tdx_quote.h"
#include "attest/verify.h"

namespace cce::attest {

struct PolicyOutcome {
  Check group;
  std::string measurement;
  std::optional<NearestMeasurement> nearest;
};
PolicyOutcome CheckTdxPolicy(const TdxQuote& quote, const TdxTrust& trust, const TcbResult& tcb,
                             const Policy& policy, UnixSeconds time,
                             const ExpectedBinding& binding);
PolicyOutcome CheckSnpPolicy(const SnpReport& report, const SnpTrust& trust, SnpProduct product,
                             const Policy& policy, UnixSeconds time,
                             const ExpectedBinding& binding);

}  // namespace cce::attest
