// Certificate tables (configfs auxblob).
#include "attest/types.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto table = cce::attest::ParseCertificateTable({data, size});
  if (table && (table->vek.size() > size || table->ask.size() > size || table->ark.size() > size ||
                table->crl.size() > size)) {
    __builtin_trap();
  }
  return 0;
}
