// Event logs, TCG2 and dstack.
#include "attest/event_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (const auto log = cce::attest::ParseEventLog({data, size})) {
    (void)cce::attest::ToJsonObject(*log);
  }
  return 0;
}
