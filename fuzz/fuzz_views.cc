// The stream that the key-less decoder answers with: the parent believes nothing in it.
#include "gate/review.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto views = cce::gate::ParseViewStream({data, size}, {.max_total = 1 << 20});
  const cce::gate::GateReport report = cce::gate::Review(views, size, {}, {});
  if (report.decision != cce::gate::Decision::kNeedsHuman) __builtin_trap();
  return 0;
}
