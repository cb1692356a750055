// The collateral stage for TDX: from a quote's PCK chain and collateral to a key and documents that
// can be believed. A pure function of its inputs, so that its result can be remembered. Internal to
// src/attest.
#pragma once

#include "attest/chain.h"
#include "attest/collateral.h"
#include "attest/extensions.h"
#include "attest/tcb_documents.h"
#include "attest/trusted_document.h"
#include "attest/verdict.h"

namespace cce::attest {

struct TdxTrust {
  Check group;
  bool ok = false;
  std::string root;
  bool development = false;
  PublicKey pck_key;
  PckExtension pck;
  TcbInfo info;
  QeIdentity qe;
  Window window;
};

// `collateral` may be null.
TdxTrust EstablishTdxTrust(ByteView quote_chain_pem, const TdxCollateral* collateral,
                           const std::vector<TrustedRoot>& roots, UnixSeconds time);

// The same checks for one document by itself (document.h), and for the PCK chain of a quote alone.
TrustedDocument EstablishTdxDocument(const CollateralDocument& document,
                                     const std::vector<TrustedRoot>& roots, UnixSeconds time,
                                     ByteView root_crl);
Check CheckPckChain(ByteView quote_chain_pem, const std::vector<TrustedRoot>& roots,
                    UnixSeconds time);

}  // namespace cce::attest
