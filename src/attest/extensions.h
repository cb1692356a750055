// The vendors' certificate extensions that say which chip, in which state, a key belongs to.
// Strict: every member required, each once, exact DER types and sizes. Internal to src/attest.
#pragma once

#include <string>

#include "attest/types.h"
#include "attest/x509.h"

namespace cce::attest {

// 1.2.840.113741.1.13.1 of a PCK certificate (Intel's PCK certificate profile, section 1.3.5).
struct PckExtension {
  ByteArray<16> ppid{};
  ByteArray<16> components{};  // SGX TCB component SVNs 1..16
  uint16_t pcesvn = 0;
  ByteArray<16> cpusvn{};
  ByteArray<2> pceid{};
  ByteArray<6> fmspc{};
};
Result<PckExtension> ReadPckExtension(const Certificate& pck);

// 1.3.6.1.4.1.3704.1.* of a VCEK or VLEK (AMD 57230, section 3.1).
struct VekExtension {
  std::string product_name;  // "Milan-B0", "Milan", "Genoa", "Turin"
  SnpProduct product = SnpProduct::kUnknown;
  SnpTcb tcb;
  Bytes hwid;          // VCEK: 64 bytes, Turin 8; empty on a VLEK
  std::string csp_id;  // VLEK
  bool vlek = false;   // by subject CN
};
Result<VekExtension> ReadVekExtension(const Certificate& vek);

// "SEV-Milan", "ARK-Milan", "SEV-VLEK-Milan" to the product.
SnpProduct ProductFromName(std::string_view name);

}  // namespace cce::attest
