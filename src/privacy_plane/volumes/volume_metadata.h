// What a volume's metadata comes to for a reader: its settings, and of its files those of one
// snapshot.
#pragma once

#include <set>

#include "base/json.h"
#include "base/result.h"
#include "dataset/ciphertext_store.h"

namespace cce::privacy_plane {

constexpr size_t kMaxVolumeMetadata = size_t{256} << 20;

// `dump`: the document of `juicefs dump`. Keeps the objects named in `names` alone; trash, open
// files and keys are left out. Errors: dataset.missing_object (one of them is not in the volume),
// store.failed (no such document).
Result<json::object> SelectObjects(std::string_view dump,
                                   const std::set<dataset::ObjectName>& names);

}  // namespace cce::privacy_plane
