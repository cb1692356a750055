// Which snapshots may be named by what comes now.
#pragma once

#include "privacy_plane/state/tables.h"
#include "protocol/job_spec.h"

namespace cce::privacy_plane {

// dataset.deleted.
Result<> CheckNotDeleted(const DatasetRecord& dataset);
// There and readable. dataset.unknown_snapshot, dataset.deleted, dataset.rotated (naming the
// successor) once its epoch has ended.
Result<> CheckReadable(const DatasetRecord& dataset, const SnapshotId& snapshot);
// As CheckReadable; and none that was rotated: dataset.rotated.
Result<> CheckLive(const DatasetRecord& dataset, const SnapshotId& snapshot);
// CheckLive of everything that a new job names.
Result<> CheckSnapshotsLive(const Tables& tables, const protocol::JobSpec& spec);

}  // namespace cce::privacy_plane
