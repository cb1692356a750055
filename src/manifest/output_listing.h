// The regular files of an output's tar with their digests. Internal to src/manifest.
#pragma once

#include <map>
#include <string>

#include "crypto/hash.h"

namespace cce::manifest {

// By path, as it stands in the tar. The tar holds regular files and folders only; anything else,
// a path twice or a damaged tar is manifest.result_mismatch. Folders are not listed.
Result<std::map<std::string, crypto::Sha256Digest>> ListOutput(ByteView tar);

}  // namespace cce::manifest
