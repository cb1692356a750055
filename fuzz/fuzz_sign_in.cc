// EIP-4361 messages: what parses must render to the same text.
#include "chain/siwe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = cce::AsText({data, size});
  if (const auto message = cce::chain::ParseSiwe(text)) {
    const auto rendered = cce::chain::RenderSiwe(*message);
    if (!rendered || cce::chain::ParseSiwe(*rendered) != *message) __builtin_trap();
  }
  return 0;
}
