// Evidence in every form, and a whole verification of whatever parses.
#include "attest/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const cce::ByteView bytes(data, size);
  const cce::attest::ExpectedBinding binding((cce::ByteArray<64>()));
  const cce::attest::Verdict verdict =
      cce::attest::VerifyBytes(bytes, {}, cce::attest::StrictPolicy(), 1'800'000'000, binding);
  if (verdict.accepted) __builtin_trap();
  (void)cce::attest::ToText(verdict);
  (void)cce::attest::ParseCertificateTable(bytes);
  return 0;
}
