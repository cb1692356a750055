#include "privacy_plane/datasets/snapshots.h"

namespace cce::privacy_plane {
namespace {

using protocol::AddressText;

// The end of a chain of rotations.
const SnapshotRecord& Newest(const DatasetRecord& dataset, const SnapshotRecord& snapshot) {
  const SnapshotRecord* at = &snapshot;
  while (at->successor) at = &dataset.snapshots.at(*at->successor);
  return *at;
}

Unexpected Rotated(const DatasetRecord& dataset, const SnapshotRecord& snapshot) {
  const std::string successor = ToHex(Newest(dataset, snapshot).id);
  return Fail(MakeError("dataset.rotated", "snapshot " + ToHex(snapshot.id) + " of " +
                                               AddressText(dataset.id) + " was sealed anew")
                  .Expected("its successor, of the same content: " + successor)
                  .Found(ToHex(snapshot.id))
                  .Next("Name snapshot " + successor + "."));
}

}  // namespace

Result<> CheckNotDeleted(const DatasetRecord& dataset) {
  if (!dataset.deleted) return {};
  return Fail("dataset.deleted", "the dataset " + AddressText(dataset.id) + " was deleted");
}

Result<> CheckReadable(const DatasetRecord& dataset, const SnapshotId& id) {
  TRY(CheckNotDeleted(dataset));
  const auto it = dataset.snapshots.find(id);
  if (it == dataset.snapshots.end()) {
    return Fail(MakeError("dataset.unknown_snapshot",
                          "dataset " + AddressText(dataset.id) + " has no such snapshot")
                    .Found(ToHex(id)));
  }
  const SnapshotRecord& snapshot = it->second;
  if (snapshot.deleted) {
    return Fail("dataset.deleted", "the snapshot " + ToHex(id) + " was deleted");
  }
  if (snapshot.successor && dataset.epochs.at(snapshot.epoch).destroyed != 0) {
    return Rotated(dataset, snapshot);
  }
  return {};
}

Result<> CheckLive(const DatasetRecord& dataset, const SnapshotId& id) {
  TRY(CheckReadable(dataset, id));
  const SnapshotRecord& snapshot = dataset.snapshots.at(id);
  if (snapshot.successor) return Rotated(dataset, snapshot);
  return {};
}

Result<> CheckSnapshotsLive(const Tables& tables, const protocol::JobSpec& spec) {
  for (const protocol::JobDataset& wanted : spec.datasets) {
    const auto dataset = tables.datasets.find(wanted.dataset);
    if (dataset == tables.datasets.end()) {
      return Fail("dataset.unknown", "no dataset " + AddressText(wanted.dataset));
    }
    TRY(CheckLive(dataset->second, wanted.snapshot));
  }
  return {};
}

}  // namespace cce::privacy_plane
