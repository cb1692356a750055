// How the machine of a job reads a dataset's ciphertext: GET /v1/store/<dataset>, by the storage
// token of its key bundle.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"

namespace cce::protocol {

constexpr size_t kMaxStoreAccess = size_t{256} << 20;

struct StoreAccess {
  // "objects": each object over HTTPS from cced. "juicefs": from the S3 server behind the relay's
  // name "objects", with the members that follow.
  std::string kind = "objects";
  std::string bucket;      // [a-z0-9.-]{3,63}
  std::string access_key;  // this job's own, for reading this volume's objects
  SecretBytes secret_key;  // text; known to the relay's host
  json::object metadata;  // the volume's metadata of the job's snapshot, as `juicefs load` takes it
};

json::object ToJsonObject(const StoreAccess& access);
// Errors: input.*.
Result<StoreAccess> ReadStoreAccess(std::string_view text);

}  // namespace cce::protocol
