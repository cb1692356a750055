// What a deletion takes with it: snapshots, epochs, jobs. Decided on the tables of a transaction.
#pragma once

#include <vector>

#include "privacy_plane/state/entries.h"

namespace cce::privacy_plane {

struct DeletionPlan {
  bool whole = false;
  std::vector<SnapshotId>
      snapshots;                 // not deleted yet; a rotation and what it was made of together
  std::vector<uint32_t> epochs;  // that nothing else needs
  std::vector<uint32_t> kept_epochs;  // of the snapshots, but needed by others
  std::vector<JobId> jobs;            // in flight
};

// `snapshot` zero: the whole dataset. dataset.unknown_snapshot, dataset.deleted, dataset.rotated
// (with its successor).
Result<DeletionPlan> PlanDeletion(const Tables& tables, const DatasetRecord& dataset,
                                  const SnapshotId& snapshot);

}  // namespace cce::privacy_plane
