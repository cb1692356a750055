// TCB info v3, as the service signs them and as it wraps them.
#include "attest/collateral.h"
#include "attest/tcb_documents.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = cce::AsText({data, size});
  (void)cce::attest::ParseTcbInfo(text);
  if (const auto split = cce::attest::SplitTcbInfo(text))
    (void)cce::attest::ParseTcbInfo(split->body);
  return 0;
}
