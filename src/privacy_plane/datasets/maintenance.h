// Work on datasets in the background, on one thread: scrubs, rotations, abandoning stale uploads,
// removing objects that nothing names. What is to be done stands in the tables, so it goes on after
// any end of the process. Thread-safe.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "privacy_plane/datasets/collector.h"
#include "privacy_plane/datasets/task.h"
#include "privacy_plane/output_gate/leak_indexes.h"

namespace cce::privacy_plane {

class Maintenance {
 public:
  Maintenance(Core& core, Datasets& datasets, LeakIndexes& indexes);
  ~Maintenance();

  // Something was ordered.
  void Wake();
  // Objects of `dataset` may have become nobody's.
  void Collect(const DatasetId& dataset);
  // Why the dataset's rotation or verification does not go on at the moment.
  std::optional<Error> Trouble(const DatasetId& dataset) const;

 private:
  enum class Kind { kVerify, kRotate, kCollect };
  struct Key {
    Kind kind;
    DatasetId dataset;
    SnapshotId snapshot{};
    auto operator<=>(const Key&) const = default;
  };
  struct Running {
    std::unique_ptr<Task> task;
    std::chrono::steady_clock::time_point not_before;
  };
  void Run();
  // Tasks for what the tables ask for, besides those there are.
  void Adopt();
  std::unique_ptr<Task> Make(const Key& key);
  // One step, if it is due.
  void RunOne(const Key& key, Running& running);
  void AbandonStale();
  // Sleeps for at most `time`; false when stopping.
  bool Pause(std::chrono::nanoseconds time);

  Core& core_;
  Datasets& datasets_;
  LeakIndexes& indexes_;
  std::map<Key, Running> running_;
  std::chrono::steady_clock::time_point next_round_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool woken_ = false;
  std::set<DatasetId> collect_;
  std::map<DatasetId, Error> trouble_;
  std::thread thread_;
};

}  // namespace cce::privacy_plane
