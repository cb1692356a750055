// The signature data of a TDX quote, behind a header and a body that are always good.
#include "attest/tdx_layout.h"
#include "attest/types.h"

namespace {

cce::Bytes Prefix() {
  cce::Bytes out(cce::attest::tdx::kHeaderSize + cce::attest::tdx::kTd10Size);
  out[0] = cce::attest::tdx::kVersion4;
  out[2] = cce::attest::tdx::kEcdsaP256;
  out[4] = cce::attest::tdx::kTeeTypeTdx;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > size_t{1} << 20) return 0;
  cce::Bytes quote = Prefix();
  for (int i = 0; i < 4; ++i) quote.push_back(static_cast<uint8_t>(size >> (8 * i)));
  cce::Append(quote, {data, size});
  const auto parsed = cce::attest::ParseTdxQuote(quote);
  if (parsed && parsed->qe_auth.size() > size) __builtin_trap();
  return 0;
}
