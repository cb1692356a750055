// What the collateral stage says of one document by itself. Internal to src/attest.
#pragma once

#include "attest/document.h"
#include "attest/verdict.h"

namespace cce::attest {

struct TrustedDocument {
  Check group;
  bool ok = false;
  DocumentFacts facts;  // meaningless unless ok
};

}  // namespace cce::attest
