// The collateral stage for SNP: from VEK, intermediate, root and CRL to a key and the chip it
// belongs to. A pure function of its inputs, so that its result can be remembered. Internal to
// src/attest.
#pragma once

#include "attest/chain.h"
#include "attest/collateral.h"
#include "attest/extensions.h"
#include "attest/trusted_document.h"
#include "attest/verdict.h"

namespace cce::attest {

struct SnpTrust {
  Check group;
  bool ok = false;
  std::string root;
  bool development = false;
  PublicKey vek_key;
  VekExtension vek;
  Window window;
};

SnpTrust EstablishSnpTrust(const SnpCollateral& collateral, bool require_crl,
                           const std::vector<TrustedRoot>& roots, UnixSeconds time);

// The same checks for one document by itself (document.h); `ark_crl` may be empty.
TrustedDocument EstablishSnpDocument(const CollateralDocument& document,
                                     const std::vector<TrustedRoot>& roots, UnixSeconds time,
                                     ByteView ark_crl);

// The collateral, completed with certificates that came with the evidence.
SnpCollateral CompleteSnp(const std::optional<SnpCollateral>& collateral,
                          const SnpCertificates& certificates);

}  // namespace cce::attest
