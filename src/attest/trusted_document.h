// What the collateral stage says of one document by itself. Internal to src/attest.
#pragma once

#include "attest/document.h"
#include "attest/verdict.h"

namespace cce::attest {

struct TrustedDocument {
  Check group;
  bool ok = false;
  DocumentFacts facts;  // meaningless unless ok

  // `chain`: what its issuers came to (SnpTrust, TdxTrust).
  template <typename Trust>
  void Conclude(const Trust& chain, Check all) {
    facts.root = chain.root;
    facts.development = chain.development;
    facts.from = chain.window.from;
    facts.until = chain.window.until;
    group = std::move(all);
  }
};

}  // namespace cce::attest
