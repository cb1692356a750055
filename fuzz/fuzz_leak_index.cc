// A stored leak index, opened.
#include "gate/leak_index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const cce::Bytes key(cce::gate::kLeakKeySize, 7);
  (void)cce::gate::LeakIndex::Deserialize(key, {data, size});
  return 0;
}
