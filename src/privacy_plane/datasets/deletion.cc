#include "privacy_plane/datasets/deletion.h"

#include <algorithm>
#include <set>

#include "privacy_plane/datasets/snapshots.h"

namespace cce::privacy_plane {
namespace {

// Epochs that something outside the plan can still be read, or written, under.
std::set<uint32_t> EpochsNeeded(const Tables& tables, const DatasetRecord& dataset,
                                const DeletionPlan& plan) {
  std::set<uint32_t> needed;
  if (plan.whole) return needed;
  for (const auto& [id, snapshot] : dataset.snapshots) {
    if (snapshot.deleted || std::ranges::find(plan.snapshots, id) != plan.snapshots.end()) continue;
    needed.insert(snapshot.epoch);
  }
  for (const auto& [id, draft] : tables.drafts) {
    if (draft.dataset == dataset.id && draft.open()) needed.insert(draft.epoch);
  }
  if (dataset.rotation) needed.insert(dataset.rotation->epoch);
  return needed;
}

void PlanEpochs(const Tables& tables, const DatasetRecord& dataset, DeletionPlan& plan) {
  const std::set<uint32_t> needed = EpochsNeeded(tables, dataset, plan);
  for (const auto& [number, epoch] : dataset.epochs) {
    if (epoch.destroyed != 0) continue;
    const bool of_plan = plan.whole || std::ranges::any_of(plan.snapshots, [&](const auto& id) {
                           return dataset.snapshots.at(id).epoch == number;
                         });
    if (!of_plan) continue;
    (needed.contains(number) ? plan.kept_epochs : plan.epochs).push_back(number);
  }
}

}  // namespace

Result<DeletionPlan> PlanDeletion(const Tables& tables, const DatasetRecord& dataset,
                                  const SnapshotId& snapshot) {
  DeletionPlan plan{.whole = snapshot == SnapshotId{}};
  if (plan.whole) {
    for (const auto& [id, record] : dataset.snapshots) {
      if (!record.deleted) plan.snapshots.push_back(id);
    }
  } else {
    TRY(CheckLive(dataset, snapshot));
    for (std::optional<SnapshotId> at = snapshot; at;) {
      plan.snapshots.push_back(*at);
      at = dataset.snapshots.at(*at).predecessor;
    }
  }
  PlanEpochs(tables, dataset, plan);
  for (const auto& [id, job] : tables.jobs) {
    if (protocol::IsFinal(job.state)) continue;
    const bool reads = std::ranges::any_of(job.spec.datasets, [&](const auto& used) {
      return used.dataset == dataset.id &&
             std::ranges::find(plan.snapshots, used.snapshot) != plan.snapshots.end();
    });
    if (reads) plan.jobs.push_back(id);
  }
  return plan;
}

}  // namespace cce::privacy_plane
