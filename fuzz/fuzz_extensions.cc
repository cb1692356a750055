// Certificates in DER or PEM, and the extensions of PCK and VEK certificates.
#include "attest/collateral.h"
#include "attest/extensions.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const cce::ByteView bytes(data, size);
  if (const auto certificate = cce::attest::ParseCertificate(bytes)) {
    if (!cce::Equal(*certificate->der, bytes)) __builtin_trap();
    (void)cce::attest::ReadPckExtension(*certificate);
    (void)cce::attest::ReadVekExtension(*certificate);
  }
  if (const auto chain = cce::attest::ParsePemChain(cce::AsText(bytes))) {
    for (const cce::Bytes& der : *chain) (void)cce::attest::ParseCertificate(der);
    if (*cce::attest::ParsePemChain(cce::attest::ToPem(*chain)) != *chain) __builtin_trap();
  }
  return 0;
}
