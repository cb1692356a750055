// Leak indexes of snapshots: built after finalize by a background thread, one at a time, stored
// sealed beside the snapshot's objects, opened when an output is judged. Neither takes memory by
// the dataset's size. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "base/delay_queue.h"
#include "gate/leak_index.h"
#include "privacy_plane/datasets/datasets.h"

namespace cce::privacy_plane {

class LeakIndexes {
 public:
  LeakIndexes(Core& core, Datasets& datasets);
  ~LeakIndexes();

  // Builds the index of `snapshot` in the background. Those that were not done at the last end are
  // found again.
  void Queue(const DatasetId& dataset, const SnapshotId& snapshot);
  // `rotated` has taken the place of `old`, whose epoch still lives: its index is sealed anew, or
  // queued where there is none yet.
  void Follow(const DatasetId& dataset, const SnapshotId& old, const SnapshotId& rotated);
  // Whether `snapshot` has no index but will get one: false where its data cannot be read.
  bool Awaited(const DatasetId& dataset, const SnapshotId& snapshot) const;
  // Null where there is none. It is read from the store as it is used. Errors: dataset.*, gate.*,
  // crypto.*.
  Result<std::shared_ptr<const gate::LeakIndex>> Find(const DatasetId& dataset,
                                                      const SnapshotId& snapshot) const;

 private:
  using Key = std::pair<DatasetId, SnapshotId>;
  struct Waiting {
    Key key;
    std::chrono::seconds pause{1};  // after the next failure
  };
  Result<> Build(const Key& key);
  // gate.index_stopped at the end of this object, so that nobody waits for a long build.
  Result<> CheckNotStopping() const;
  // Seals and stores what `write` gives, and journals it.
  Result<> Store(const Key& key, const std::function<Result<>(const gate::ByteSink&)>& write);
  // Null where there is none yet.
  Result<std::shared_ptr<const gate::IndexSource>> Open(const Key& key) const;
  void Run();

  Core& core_;
  Datasets& datasets_;
  DelayQueue<Waiting> waiting_;
  mutable std::mutex mutex_;  // of unreadable_
  std::set<Key> unreadable_;  // their data; not tried again
  std::thread thread_;
};

}  // namespace cce::privacy_plane
