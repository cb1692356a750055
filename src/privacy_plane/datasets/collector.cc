#include "privacy_plane/datasets/collector.h"

#include <algorithm>

#include "base/log.h"

namespace cce::privacy_plane {
namespace {

constexpr size_t kMaxCandidates = 50'000;
constexpr size_t kRemovedAtOnce = 4096;

bool Holds(const std::vector<Digest32>& sorted, const Digest32& name) {
  return std::ranges::binary_search(sorted, name);
}

}  // namespace

std::vector<Digest32> ObjectsInUse(const Tables& tables, const DatasetId& id) {
  std::vector<Digest32> names;
  const DatasetRecord& dataset = tables.datasets.at(id);
  for (const auto& [snapshot_id, snapshot] : dataset.snapshots) {
    // A rotated one is read by its jobs until its epoch ends.
    const auto epoch = dataset.epochs.find(snapshot.epoch);
    if (snapshot.deleted || epoch == dataset.epochs.end() || epoch->second.destroyed != 0) {
      continue;
    }
    names.push_back(snapshot_id);
    for (const dataset::StoredObject& object : snapshot.objects) names.push_back(object.name);
    if (snapshot.leak_index) names.push_back(snapshot.leak_index->name);
  }
  for (const auto& [draft_id, draft] : tables.drafts) {
    if (draft.dataset != id || !draft.open()) continue;
    for (const auto& [part, receipt] : draft.parts) {
      names.push_back(receipt.record);
      names.push_back(receipt.object.name);
    }
  }
  if (dataset.rotation) {
    for (const auto& [old, row] : dataset.rotation->done) names.push_back(row.name);
  }
  std::ranges::sort(names);
  return names;
}

Result<> Collection::Find() {
  ASSIGN_OR_RETURN(store_, core_.open_store(dataset_));
  // Before the list: who writes after it has a later ticket, and its object is not in the list.
  const std::vector<Digest32> used =
      core_.state->Read([&](const Tables& tables) { return ObjectsInUse(tables, dataset_); });
  candidates_.clear();
  more_ = false;
  Result<> listed = store_->List([&](const dataset::StoredObject& object) -> Result<> {
    if (Holds(used, object.name)) return {};
    if (candidates_.size() == kMaxCandidates) {
      more_ = true;
      return Fail("input.too_large", "enough for now");
    }
    candidates_.push_back(object);
    return {};
  });
  if (!listed && !more_) return listed;
  mark_ = datasets_.writes().Mark();
  return {};
}

Result<> Collection::Remove() {
  const std::vector<Digest32> used =
      core_.state->Read([&](const Tables& tables) { return ObjectsInUse(tables, dataset_); });
  for (size_t i = 0; i < kRemovedAtOnce && !candidates_.empty(); ++i) {
    const dataset::StoredObject object = candidates_.back();
    if (!Holds(used, object.name)) {
      TRY(store_->Remove(object.name));
      ++removed_;
      bytes_ += object.size;
    }
    candidates_.pop_back();
  }
  return {};
}

Result<Step> Collection::Run() {
  if (candidates_.empty()) {
    TRY(Find());
    if (candidates_.empty()) return Step{.next = Step::Next::kDone};
  }
  if (!datasets_.writes().AllBack(mark_)) return Step{.next = Step::Next::kWait};
  TRY(Remove());
  if (!candidates_.empty() || more_) return Step{};
  Log(LogLevel::kInfo, "objects.collected",
      {{"dataset", protocol::AddressText(dataset_)},
       {"objects", std::to_string(removed_)},
       {"bytes", std::to_string(bytes_)}});
  return Step{.next = Step::Next::kDone};
}

}  // namespace cce::privacy_plane
