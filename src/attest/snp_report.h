// The report and TCB stages for SNP. Internal to src/attest.
#pragma once

#include "attest/snp_trust.h"
#include "attest/types.h"
#include "attest/verdict.h"

namespace cce::attest {

// The product as CPUID states it, for version 2 as the VEK does.
SnpProduct ProductOf(const SnpReport& report, const SnpTrust& trust);
// `runtime_data`: what an Azure report encloses; empty: none.
Check CheckSnpReport(const SnpReport& report, ByteView runtime_data, const SnpTrust& trust,
                     bool allow_masked_chip_id);
Check CheckSnpTcb(const SnpReport& report, SnpProduct product);

}  // namespace cce::attest
