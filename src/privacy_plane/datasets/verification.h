// A scrub: reads and authenticates every object of one snapshot and journals what is damaged.
#pragma once

#include <chrono>

#include "privacy_plane/datasets/datasets.h"
#include "privacy_plane/datasets/task.h"

namespace cce::privacy_plane {

class Verification : public Task {
 public:
  Verification(Core& core, Datasets& datasets, const DatasetId& dataset, const SnapshotId& snapshot)
      : core_(core), datasets_(datasets), dataset_(dataset), snapshot_(snapshot) {}
  // Ends when the tables say that the verification is finished. Errors: io.*, journal.*.
  Result<Step> Run() override;

 private:
  Result<> Open();
  Result<Step> IndexDamaged(const Error& error);
  Result<> Note(uint32_t object, const Error& error);
  void AddPaths();
  // Journals what was read since the last time.
  Result<> Flush(bool finished);

  Core& core_;
  Datasets& datasets_;
  DatasetId dataset_;
  SnapshotId snapshot_;
  std::unique_ptr<Datasets::OpenedSnapshot> opened_;
  uint32_t next_ = 0;
  uint64_t bytes_ = 0;
  uint64_t damaged_ = 0;
  uint64_t named_ = 0;  // of the damaged ones
  std::vector<std::pair<uint32_t, DamageRecord>> found_;
  unsigned failures_ = 0;  // of the present object, one after another
  std::chrono::steady_clock::time_point flushed_ = std::chrono::steady_clock::now();
};

}  // namespace cce::privacy_plane
