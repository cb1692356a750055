#include "protocol/store_access.h"

#include <algorithm>

namespace cce::protocol {
namespace {

bool IsName(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

}  // namespace

json::object ToJsonObject(const StoreAccess& access) {
  json::object out{{"kind", access.kind}};
  if (access.kind != "juicefs") return out;
  out["bucket"] = access.bucket;
  out["access_key"] = access.access_key;
  out["secret_key"] = AsText(access.secret_key.Expose());
  out["metadata"] = access.metadata;
  return out;
}

Result<StoreAccess> ReadStoreAccess(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "store access", {.max_bytes = kMaxStoreAccess}));
  Fields f(document);
  StoreAccess access;
  access.kind = f.Choice("kind", {"objects", "juicefs"});
  if (access.kind == "juicefs") {
    access.bucket = f.String("bucket", {.min = 3, .max = 63});
    access.access_key = f.String("access_key", {.min = 1, .max = 128});
    if (!IsName(access.bucket)) f.Reject("bucket", "is no bucket's name");
    if (!IsName(access.access_key)) f.Reject("access_key", "is no key's name");
    access.secret_key =
        SecretBytes::CopyOf(AsBytes(f.String("secret_key", {.min = 1, .max = 128})));
    const json::value* metadata = f.Raw("metadata");
    if (metadata == nullptr || !metadata->is_object()) {
      f.Reject("metadata", "must be an object");
    } else {
      access.metadata = metadata->get_object();
    }
  }
  TRY(f.Finish());
  return access;
}

}  // namespace cce::protocol
