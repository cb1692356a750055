// TDX quotes of versions 4 and 5.
#include "attest/types.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const cce::ByteView bytes(data, size);
  const auto quote = cce::attest::ParseTdxQuote(bytes);
  if (!quote) return 0;
  // What is signed is the beginning, and nothing lies outside of what was given.
  if (quote->signed_bytes.data() != data || quote->signed_bytes.size() > size ||
      quote->trailing > size || quote->signature.size() != 64 ||
      quote->pck_chain_pem.data() + quote->pck_chain_pem.size() > data + size) {
    __builtin_trap();
  }
  return 0;
}
