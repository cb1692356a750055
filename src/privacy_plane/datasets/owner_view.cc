#include "privacy_plane/datasets/owner_view.h"

#include <algorithm>

#include "privacy_plane/datasets/quota.h"

namespace cce::privacy_plane {
namespace {

using protocol::AddressText;

std::string_view StateOf(const SnapshotRecord& snapshot) {
  if (snapshot.deleted) return "deleted";
  return snapshot.successor ? "rotated" : "live";
}

uint64_t SealedBytes(const SnapshotRecord& snapshot) {
  uint64_t sum = snapshot.index_size;
  for (const dataset::StoredObject& object : snapshot.objects) sum += object.size;
  return sum;
}

json::object Verification(const VerificationRecord& v) {
  json::array damage;
  for (const DamageRecord& record : v.damage) {
    damage.push_back(json::object{{"object", ToHex(record.object)},
                                  {"code", record.code},
                                  {"paths", json::array(record.paths.begin(), record.paths.end())},
                                  {"path_count", record.path_count}});
  }
  return {{"started", v.started}, {"finished", v.finished}, {"objects_read", v.next},
          {"bytes", v.bytes},     {"damaged", v.damaged},   {"damage", std::move(damage)}};
}

json::object Snapshot(const SnapshotRecord& s) {
  json::object out{{"id", ToHex(s.id)},
                   {"state", StateOf(s)},
                   {"time", s.time},
                   {"epoch", s.epoch},
                   {"counts", ToJsonObject(s.counts)},
                   {"objects", s.objects.size()},
                   {"sealed_bytes", SealedBytes(s)},
                   {"index_bytes", s.index_size},
                   {"leak_index", s.leak_index.has_value()},
                   {"receipt", s.receipt}};
  if (s.predecessor) out["predecessor"] = ToHex(*s.predecessor);
  if (s.successor) out["successor"] = ToHex(*s.successor);
  if (s.deleted && !s.deletion_receipt.empty()) out["deletion_receipt"] = s.deletion_receipt;
  if (s.verification) out["verification"] = Verification(*s.verification);
  return out;
}

json::object Rotation(const DatasetRecord& dataset, const RotationRecord& rotation) {
  uint64_t left = 0;
  bool sealing = false;
  for (const auto& [id, snapshot] : dataset.snapshots) {
    if (!snapshot.live() || snapshot.epoch == rotation.epoch) continue;
    sealing = true;
    for (const dataset::StoredObject& object : snapshot.objects) {
      if (!rotation.done.contains(object.name)) left += object.size;
    }
  }
  return {{"epoch", rotation.epoch},
          {"started", rotation.started},
          {"state", sealing ? "sealing" : "waiting_for_jobs"},
          {"bytes", rotation.bytes},
          {"bytes_left", left}};
}

std::vector<const SnapshotRecord*> ByTime(const DatasetRecord& dataset) {
  std::vector<const SnapshotRecord*> out;
  out.reserve(dataset.snapshots.size());
  for (const auto& [id, snapshot] : dataset.snapshots) out.push_back(&snapshot);
  std::ranges::sort(out, [](const SnapshotRecord* a, const SnapshotRecord* b) {
    return std::tuple(a->place, a->epoch) < std::tuple(b->place, b->epoch);
  });
  return out;
}

json::object Summary(const DatasetRecord& dataset) {
  uint64_t count = 0;
  uint64_t bytes = 0;
  const SnapshotRecord* newest = nullptr;
  for (const SnapshotRecord* snapshot : ByTime(dataset)) {
    if (!snapshot->live()) continue;
    ++count;
    bytes += snapshot->counts.bytes;
    newest = snapshot;
  }
  json::object out{{"dataset", AddressText(dataset.id)},
                   {"owner", AddressText(dataset.owner)},
                   {"deleted", dataset.deleted},
                   {"policy_version", dataset.policy().policy.version},
                   {"snapshots", count},
                   {"bytes", bytes}};
  if (newest != nullptr)
    out["newest"] = json::object{{"id", ToHex(newest->id)}, {"time", newest->time}};
  return out;
}

}  // namespace

json::object TasksView(const DatasetRecord& dataset) {
  json::object out;
  if (dataset.rotation) out["rotation"] = Rotation(dataset, *dataset.rotation);
  json::array verifications;
  for (const auto& [id, snapshot] : dataset.snapshots) {
    if (!snapshot.verification) continue;
    const VerificationRecord& v = *snapshot.verification;
    verifications.push_back(json::object{{"snapshot", ToHex(id)},
                                         {"started", v.started},
                                         {"finished", v.finished},
                                         {"objects_read", v.next},
                                         {"objects", snapshot.objects.size()},
                                         {"bytes", v.bytes},
                                         {"damaged", v.damaged}});
  }
  out["verifications"] = std::move(verifications);
  return out;
}

json::object OwnerView(const Tables& tables, const DatasetRecord& dataset, const Config& config) {
  json::object out{{"dataset", AddressText(dataset.id)},
                   {"owner", AddressText(dataset.owner)},
                   {"deleted", dataset.deleted},
                   {"policy_version", dataset.policy().policy.version},
                   {"policy_hash", ToHex(dataset.policy().hash)},
                   {"access_mode", dataset.policy().policy.access_mode},
                   {"orders", dataset.orders}};
  if (dataset.deleted) out["deletion_receipt"] = dataset.deletion_receipt;
  const Usage used = UsageOf(tables, dataset);
  const Quota quota = config.QuotaOf(dataset.id);
  out["quota"] =
      json::object{{"bytes", quota.bytes}, {"files", quota.files}, {"snapshots", quota.snapshots}};
  out["used"] =
      json::object{{"bytes", used.bytes}, {"files", used.files}, {"snapshots", used.snapshots}};
  json::array epochs;
  for (const auto& [number, epoch] : dataset.epochs) {
    epochs.push_back(
        json::object{{"epoch", number}, {"opened", epoch.opened}, {"destroyed", epoch.destroyed}});
  }
  out["epochs"] = std::move(epochs);
  json::array snapshots;
  for (const SnapshotRecord* snapshot : ByTime(dataset)) snapshots.push_back(Snapshot(*snapshot));
  out["snapshots"] = std::move(snapshots);
  json::array drafts;
  for (const auto& [id, draft] : tables.drafts) {
    if (draft.dataset != dataset.id || !draft.open()) continue;
    drafts.push_back(json::object{{"draft", ToHex(id)},
                                  {"epoch", draft.epoch},
                                  {"parts", draft.parts.size()},
                                  {"bytes", draft.bytes},
                                  {"touched", draft.touched}});
  }
  out["drafts"] = std::move(drafts);
  if (dataset.rotation) out["rotation"] = Rotation(dataset, *dataset.rotation);
  return out;
}

json::object ListDatasets(const Tables& tables, const Wallet& owner, const DatasetId& after,
                          size_t limit) {
  json::object out;
  json::array list;
  for (auto it = tables.datasets.upper_bound(after); it != tables.datasets.end(); ++it) {
    if (it->second.owner != owner) continue;
    if (list.size() == limit) {
      out["next"] = list.back().at("dataset");
      break;
    }
    list.push_back(Summary(it->second));
  }
  out["datasets"] = std::move(list);
  return out;
}

}  // namespace cce::privacy_plane
