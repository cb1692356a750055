// Collateral bundles, PEM chains, certificates, CRLs and signed documents.
#include "attest/collateral.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const cce::ByteView bytes(data, size);
  const std::string_view text = cce::AsText(bytes);
  if (const auto bundle = cce::attest::ParseBundle(text)) {
    (void)cce::attest::DatesOf(*bundle);
    if (!cce::attest::ParseBundle(cce::attest::ToBundleJson(*bundle))) __builtin_trap();
  }
  (void)cce::attest::SplitTcbInfo(text);
  (void)cce::attest::SplitQeIdentity(text);
  (void)cce::attest::ParsePemChain(text);
  (void)cce::attest::ReadCertificate(bytes);
  (void)cce::attest::ReadCrl(bytes);
  return 0;
}
