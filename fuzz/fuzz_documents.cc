// JSON, TOML, base64, hex and times.
#include "base/clock.h"
#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = cce::AsText({data, size});
  if (const auto value = cce::ParseJson(text)) {
    if (!cce::ParseJson(cce::ToJson(*value), {.max_bytes = size * 8 + 64})) __builtin_trap();
  }
  if (const auto document = cce::ParseToml(text, "fuzz")) {
    cce::Fields fields(*document);
    fields.String("a", {});
    fields.Object("b", true);
    (void)fields.Finish();
  }
  if (const auto bytes = cce::FromBase64(text); bytes && cce::ToBase64(*bytes) != text) {
    __builtin_trap();
  }
  (void)cce::FromBase64Url(text);
  (void)cce::FromHex(text, true);
  (void)cce::ParseTime(text);
  return 0;
}
