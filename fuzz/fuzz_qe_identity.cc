// QE identities v2 and v3, as the service signs them and as it wraps them.
#include "attest/collateral.h"
#include "attest/tcb_documents.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = cce::AsText({data, size});
  (void)cce::attest::ParseQeIdentity(text);
  if (const auto split = cce::attest::SplitQeIdentity(text))
    (void)cce::attest::ParseQeIdentity(split->body);
  return 0;
}
