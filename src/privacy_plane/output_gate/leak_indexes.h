// Leak indexes of snapshots: built after finalize by a background thread, stored sealed beside the
// snapshot's objects, opened when an output is judged. Until one is there, outputs go to people.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

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
  // Null where it is not built yet. Errors: dataset.*, gate.*, crypto.*.
  Result<std::shared_ptr<const gate::LeakIndex>> Find(const DatasetId& dataset,
                                                      const SnapshotId& snapshot);

 private:
  using Key = std::pair<DatasetId, SnapshotId>;
  Result<> Build(const Key& key);
  // Seals and stores the serialized index, and journals it.
  Result<> Store(const Key& key, ByteView plain);
  // The serialized index; nothing where there is none yet.
  Result<std::optional<SecretBytes>> Load(const Key& key) const;
  void Run();

  Core& core_;
  Datasets& datasets_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Key> waiting_;
  std::map<Key, std::shared_ptr<const gate::LeakIndex>>
      opened_;  // few: dropped all at once when many
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cce::privacy_plane
