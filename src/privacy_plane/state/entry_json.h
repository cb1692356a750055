// What the makers and appliers of several entry types share.
#pragma once

#include <map>

#include "privacy_plane/state/entries.h"

namespace cce::privacy_plane {

json::object ToJsonObject(const dataset::StoredObject& object);
dataset::StoredObject ReadStoredObject(Fields f);

// A snapshot's own members, as snapshot.finalized and snapshot.rotated hold them.
json::object ToJsonObject(const SnapshotRecord& snapshot);
SnapshotRecord ReadSnapshot(Fields& f);

inline uint32_t ReadU32Field(Fields& f, std::string_view key) {
  return static_cast<uint32_t>(f.Uint(key, {.max = UINT32_MAX}));
}

using Applier = Result<> (*)(Tables&, Fields&);
using Appliers = std::map<std::string_view, Applier>;  // by an entry's type
// False where none is for `type`.
Result<bool> ApplyByType(const Appliers& appliers, Tables& tables, std::string_view type,
                         const json::object& entry);

// journal.edited where no entry before made it.
Result<DatasetRecord*> FindDataset(Tables& tables, const DatasetId& id);
Result<SnapshotRecord*> FindSnapshot(Tables& tables, const DatasetId& dataset,
                                     const SnapshotId& snapshot);

}  // namespace cce::privacy_plane
