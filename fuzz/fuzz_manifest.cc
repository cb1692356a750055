// A Result Manifest's bundle and statement.
#include "manifest/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = cce::AsText({data, size});
  (void)cce::manifest::DecodeBundle(text);
  (void)cce::manifest::DecodeStatement(text);
  return 0;
}
