// CRLs in DER, PEM and hex.
#include "attest/collateral.h"
#include "attest/x509.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const cce::ByteView bytes(data, size);
  if (const auto crl = cce::attest::ParseCrl(bytes)) {
    cce::attest::Certificate certificate;
    for (const cce::attest::CrlEntry& entry : crl->entries) {
      certificate.issuer = entry.issuer;
      certificate.serial = entry.serial;
      if (crl->Find(certificate) == nullptr) __builtin_trap();
    }
  }
  if (const auto der = cce::attest::ReadCrl(bytes)) (void)cce::attest::ParseCrl(*der);
  return 0;
}
