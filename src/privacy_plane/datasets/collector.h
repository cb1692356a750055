// Removes the objects that nothing names: of deleted snapshots and datasets, of ended epochs, of
// abandoned uploads, and what a crash left. Never one in use: what a live snapshot, an open upload
// or a running job may read, and what is being written, stays. It may be cut off anywhere: what is
// left is found again.
#pragma once

#include <set>

#include "privacy_plane/datasets/datasets.h"
#include "privacy_plane/datasets/task.h"

namespace cce::privacy_plane {

// Every object that may still be read, sorted.
std::vector<Digest32> ObjectsInUse(const Tables& tables, const DatasetId& dataset);

class Collection : public Task {
 public:
  Collection(Core& core, Datasets& datasets, const DatasetId& dataset)
      : core_(core), datasets_(datasets), dataset_(dataset) {}
  Result<Step> Run() override;
  uint64_t removed() const { return removed_; }

 private:
  Result<> Find();
  Result<> Remove();

  Core& core_;
  Datasets& datasets_;
  DatasetId dataset_;
  std::shared_ptr<dataset::CiphertextStore> store_;
  std::vector<dataset::StoredObject> candidates_;
  bool more_ = false;  // there were more than fit
  uint64_t mark_ = 0;
  uint64_t removed_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace cce::privacy_plane
