#include "protocol/launch_document.h"

#include "crypto/hash.h"

namespace cce::protocol {

Bytes EncodeLaunchDocument(const LaunchDocument& document) {
  return ToBytes(
      ToJson(json::object{{"version", 1},
                          {"suite", document.suite},
                          {"credential", document.credential},
                          {"identity_key", ToHex(document.identity_key)},
                          {"tls_key", ToHex(document.tls_key)},
                          {"names", json::array(document.names.begin(), document.names.end())},
                          {"limits", LimitsToJson(document.limits)}}));
}

Result<LaunchDocument> DecodeLaunchDocument(ByteView bytes) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(AsText(bytes), "launch document",
                                                              {.max_bytes = kMaxLaunchDocument}));
  Fields f(document);
  LaunchDocument out;
  f.Uint("version", {.min = 1, .max = 1});
  out.suite = f.String("suite", {.min = 1, .max = 64});
  out.credential = f.String("credential", {.min = 1, .max = 16384});
  out.identity_key = HexField<32>(f, "identity_key");
  out.tls_key = HexField<32>(f, "tls_key");
  out.names = f.Strings("names", {.min = 1, .max = 16, .max_item = 32});
  out.limits = ReadLimits(f.Object("limits"));
  TRY(f.Finish());
  return out;
}

ByteArray<48> LaunchDocumentMrConfigId(ByteView bytes) { return crypto::Sha384(bytes); }
ByteArray<32> LaunchDocumentHostData(ByteView bytes) { return crypto::Sha256(bytes); }

}  // namespace cce::protocol
