// The opened snapshot index.
#include "dataset/index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto index = cce::dataset::Index::Parse(cce::ToBytes(cce::ByteView(data, size)), {});
  if (!index) return 0;
  for (cce::dataset::Index::Id id = 0; id < index->size(); ++id) {
    if (index->Find(index->Path(id)) != id) __builtin_trap();
    (void)index->GetAttributes(id);
  }
  return 0;
}
