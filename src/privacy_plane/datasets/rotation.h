// A rotation: every live snapshot of a dataset is sealed anew under a new epoch, object by object;
// its rotation takes its place; once no job reads the old ones any more, the old epochs' secrets
// are destroyed. Readers of the old snapshots keep their keys and objects until then.
#pragma once

#include <chrono>

#include "privacy_plane/datasets/datasets.h"
#include "privacy_plane/datasets/task.h"
#include "privacy_plane/output_gate/leak_indexes.h"

namespace cce::privacy_plane {

class Rotation : public Task {
 public:
  Rotation(Core& core, Datasets& datasets, LeakIndexes& indexes, const DatasetId& dataset)
      : core_(core), datasets_(datasets), indexes_(indexes), dataset_(dataset) {}
  // Errors: dataset.corrupt, dataset.missing_object (an object cannot be read: verify names it;
  // deleting its snapshot lets the rotation go on), io.*, journal.*.
  Result<Step> Run() override;

 private:
  struct Sealed {
    dataset::IndexObject row;
    uint64_t bytes = 0;
  };
  // The next snapshot that is not of the new epoch, or nothing.
  Result<bool> OpenNext();
  Result<dataset::IndexObject> SealAnew(const dataset::IndexObject& old) const;
  Result<> Flush();
  // The snapshot's index over the new objects; what it holds is the same, which is shown by the
  // receipt's root.
  Result<> Replace();
  Result<SnapshotRecord> WriteIndex(const SnapshotRecord& old) const;
  // Destroys the old epochs, if nobody needs them any more.
  Result<bool> Finish();

  Core& core_;
  Datasets& datasets_;
  LeakIndexes& indexes_;
  DatasetId dataset_;
  uint32_t epoch_ = 0;
  SecretBytes dek_;  // of `epoch_`
  SnapshotId snapshot_{};
  std::unique_ptr<Datasets::OpenedSnapshot> opened_;
  dataset::EpochKeys old_keys_;
  std::map<Digest32, dataset::IndexObject> done_;  // what the journal knows, and `pending_`
  uint32_t next_ = 0;
  RotatedObjects pending_;
  WritesInFlight::Ticket writing_;  // held while `pending_` is not in the journal
  std::chrono::steady_clock::time_point flushed_;
};

// Jobs that have the keys, or wait for them, of a snapshot that was rotated.
bool HasReadersOfRotated(const Tables& tables, const DatasetRecord& dataset);

}  // namespace cce::privacy_plane
