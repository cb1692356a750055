// An upload part as it comes from a client, and the list of known files as it comes from cced.
#include "dataset/draft_writer.h"
#include "dataset/known_files.h"
#include "dataset/memory_store.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cce;
  static const SecretBytes dek(32);
  dataset::MemoryStore store;
  const dataset::DraftWriter writer(store, {}, {}, 1, dek, {.max_payload = uint64_t{1} << 20});
  ByteView rest(data, size);
  const auto receipt = writer.AcceptPart(0, [&](size_t max) -> Result<ByteView> {
    const ByteView next = rest.first(std::min(max, rest.size()));
    rest = rest.subspan(next.size());
    return next;
  });
  if (!receipt && store.count() != 0) __builtin_trap();
  (void)dataset::KnownFiles::Parse(ByteView(data, size), dek.Clone());
  return 0;
}
