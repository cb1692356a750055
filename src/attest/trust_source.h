// Where the collateral stage's results come from: computed each time, or remembered. Internal to
// src/attest.
#pragma once

#include <memory>

#include "attest/snp_trust.h"
#include "attest/tdx_trust.h"
#include "attest/verify.h"

namespace cce::attest {

class TrustSource {
 public:
  virtual ~TrustSource() = default;
  virtual std::shared_ptr<const TdxTrust> Tdx(ByteView quote_chain_pem,
                                              const TdxCollateral* collateral,
                                              const std::vector<TrustedRoot>& roots,
                                              UnixSeconds time) const;
  virtual std::shared_ptr<const SnpTrust> Snp(const SnpCollateral& collateral, bool require_crl,
                                              const std::vector<TrustedRoot>& roots,
                                              UnixSeconds time) const;
};

// The one verification path: `Verify` and `Verifier` differ only in the source.
Verdict VerifyWith(const TrustSource& source, const Evidence& evidence,
                   const Collateral& collateral, const Policy& policy, UnixSeconds time,
                   const ExpectedBinding& binding);

}  // namespace cce::attest
