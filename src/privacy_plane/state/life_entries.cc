// The life of datasets after their upload: orders of the owner, scrubs, rotation, deletion.
#include "privacy_plane/state/entry_json.h"

namespace cce::privacy_plane {
namespace {

using protocol::AddressText;
using protocol::HexField;

constexpr size_t kMaxDamageListed = 4096;

json::object OfSnapshot(const DatasetId& dataset, const SnapshotId& snapshot) {
  return {{"dataset", AddressText(dataset)}, {"snapshot", ToHex(snapshot)}};
}

json::object OfOrder(const SignedOrder& order) {
  return {{"dataset", AddressText(order.dataset)},
          {"number", order.number},
          {"signer", AddressText(order.signer)},
          {"signature", ToHex(order.signature)}};
}

// Takes the order's members; the dataset's count of orders follows.
Result<DatasetRecord*> TakeOrder(Tables& tables, Fields& f) {
  const auto id = HexField<20>(f, "dataset");
  const uint64_t number = f.Uint("number", {});
  HexField<20>(f, "signer");
  f.Hex("signature", 0);
  ASSIGN_OR_RETURN(DatasetRecord* const dataset, FindDataset(tables, id));
  dataset->orders = number;
  return dataset;
}

void Abandon(DraftRecord& draft) {
  draft.abandoned = true;
  draft.parts.clear();
  draft.bytes = 0;
}

void AbandonAll(Tables& tables, const DatasetId& dataset) {
  for (auto& [id, draft] : tables.drafts) {
    if (draft.dataset == dataset && draft.open()) Abandon(draft);
  }
}

// Nothing refers to the objects any more: they are the collector's.
void Forget(SnapshotRecord& snapshot) {
  snapshot.objects.clear();
  snapshot.objects.shrink_to_fit();
  snapshot.leak_index.reset();
}

Result<> ApplyEpochDestroyed(Tables& tables, Fields& f) {
  const auto id = HexField<20>(f, "dataset");
  const uint32_t epoch = ReadU32Field(f, "epoch");
  TRY(f.Finish());
  ASSIGN_OR_RETURN(DatasetRecord* const dataset, FindDataset(tables, id));
  const auto it = dataset->epochs.find(epoch);
  if (it == dataset->epochs.end()) return Fail("journal.edited", "no such epoch was opened");
  it->second.destroyed = std::max<UnixSeconds>(tables.last_time, 1);
  for (auto& [snapshot_id, snapshot] : dataset->snapshots) {
    if (snapshot.epoch == epoch && !snapshot.live()) Forget(snapshot);
  }
  return {};
}

Result<> ApplyDraftAbandoned(Tables& tables, Fields& f) {
  const auto id = HexField<16>(f, "draft");
  TRY(f.Finish());
  const auto it = tables.drafts.find(id);
  if (it == tables.drafts.end()) return Fail("journal.edited", "no such draft was opened");
  Abandon(it->second);
  return {};
}

Result<> ApplyDraftsAbandoned(Tables& tables, Fields& f) {
  ASSIGN_OR_RETURN(const DatasetRecord* const dataset, TakeOrder(tables, f));
  TRY(f.Finish());
  AbandonAll(tables, dataset->id);
  return {};
}

Result<> ApplyVerifyOrdered(Tables& tables, Fields& f) {
  ASSIGN_OR_RETURN(const DatasetRecord* const dataset, TakeOrder(tables, f));
  const auto snapshot = HexField<32>(f, "snapshot");
  TRY(f.Finish());
  ASSIGN_OR_RETURN(SnapshotRecord* const record, FindSnapshot(tables, dataset->id, snapshot));
  record->verification = VerificationRecord{.started = tables.last_time};
  return {};
}

Result<VerificationRecord*> FindVerification(Tables& tables, Fields& f) {
  const auto id = HexField<20>(f, "dataset");
  const auto snapshot = HexField<32>(f, "snapshot");
  ASSIGN_OR_RETURN(SnapshotRecord* const record, FindSnapshot(tables, id, snapshot));
  if (!record->verification) return Fail("journal.edited", "no verification was ordered");
  return &*record->verification;
}

Result<> ApplyVerifyProgressed(Tables& tables, Fields& f) {
  ASSIGN_OR_RETURN(VerificationRecord* const verification, FindVerification(tables, f));
  const uint64_t next = f.Uint("next", {});
  const uint64_t bytes = f.Uint("bytes", {});
  const uint64_t damaged = f.Uint("damaged", {});
  std::vector<DamageRecord> found;
  for (Fields& item : f.Objects("found", {.max = kMaxDamageListed})) {
    DamageRecord& damage = found.emplace_back();
    damage.object = HexField<32>(item, "object");
    damage.code = item.String("code", {.max = 64});
    damage.paths = item.Strings("paths", {.max = 1024, .max_item = 65536});
    damage.path_count = item.Uint("path_count", {});
  }
  TRY(f.Finish());
  verification->next = next;
  verification->bytes = bytes;
  verification->damaged = damaged;
  std::ranges::move(found, std::back_inserter(verification->damage));
  return {};
}

Result<> ApplyVerifyFinished(Tables& tables, Fields& f) {
  ASSIGN_OR_RETURN(VerificationRecord* const verification, FindVerification(tables, f));
  TRY(f.Finish());
  verification->finished = std::max<UnixSeconds>(tables.last_time, 1);
  return {};
}

Result<> ApplyRotationOrdered(Tables& tables, Fields& f) {
  ASSIGN_OR_RETURN(DatasetRecord* const dataset, TakeOrder(tables, f));
  const uint32_t epoch = ReadU32Field(f, "epoch");
  TRY(f.Finish());
  dataset->rotation = RotationRecord{.epoch = epoch, .started = tables.last_time};
  return {};
}

Result<RotationRecord*> FindRotation(Tables& tables, const DatasetId& id) {
  ASSIGN_OR_RETURN(DatasetRecord* const dataset, FindDataset(tables, id));
  if (!dataset->rotation) return Fail("journal.edited", "no rotation was ordered");
  return &*dataset->rotation;
}

Result<> ApplyRotationProgressed(Tables& tables, Fields& f) {
  const auto id = HexField<20>(f, "dataset");
  ASSIGN_OR_RETURN(RotationRecord* const rotation, FindRotation(tables, id));
  for (Fields& item : f.Objects("objects", {.max = size_t{1} << 16})) {
    const auto old = HexField<32>(item, "old");
    dataset::IndexObject row;
    row.name = HexField<32>(item, "name");
    row.header = HexField<crypto::kStreamHeaderSize>(item, "header");
    row.sealed_size = item.Uint("size", {});
    row.epoch = rotation->epoch;
    if (rotation->done.emplace(old, row).second) rotation->bytes += row.sealed_size;
  }
  return f.Finish();
}

Result<> ApplySnapshotRotated(Tables& tables, Fields& f) {
  const auto id = HexField<20>(f, "dataset");
  const auto old = HexField<32>(f, "old");
  SnapshotRecord snapshot = ReadSnapshot(f);
  TRY(f.Finish());
  snapshot.predecessor = old;
  ASSIGN_OR_RETURN(SnapshotRecord* const before, FindSnapshot(tables, id, old));
  before->successor = snapshot.id;
  snapshot.place = before->place;
  const SnapshotId name = snapshot.id;
  tables.datasets.at(id).snapshots[name] = std::move(snapshot);
  return {};
}

Result<> ApplyRotationFinished(Tables& tables, Fields& f) {
  const auto id = HexField<20>(f, "dataset");
  TRY(f.Finish());
  TRY(FindRotation(tables, id));
  tables.datasets.at(id).rotation.reset();
  return {};
}

Result<> ApplySnapshotDeleted(Tables& tables, Fields& f) {
  ASSIGN_OR_RETURN(const DatasetRecord* const dataset, TakeOrder(tables, f));
  const auto snapshot = HexField<32>(f, "snapshot");
  std::string receipt = f.String("receipt", {.max = size_t{4} << 20});
  TRY(f.Finish());
  ASSIGN_OR_RETURN(SnapshotRecord * record, FindSnapshot(tables, dataset->id, snapshot));
  record->deletion_receipt = std::move(receipt);
  while (true) {  // and what it was rotated from
    record->deleted = true;
    Forget(*record);
    if (!record->predecessor) return {};
    ASSIGN_OR_RETURN(record, FindSnapshot(tables, dataset->id, *record->predecessor));
  }
}

Result<> ApplyDatasetDeleted(Tables& tables, Fields& f) {
  ASSIGN_OR_RETURN(DatasetRecord* const dataset, TakeOrder(tables, f));
  std::string receipt = f.String("receipt", {.max = size_t{4} << 20});
  TRY(f.Finish());
  dataset->deleted = true;
  dataset->deletion_receipt = std::move(receipt);
  dataset->rotation.reset();
  for (auto& [id, snapshot] : dataset->snapshots) {
    snapshot.deleted = true;
    Forget(snapshot);
  }
  AbandonAll(tables, dataset->id);
  return {};
}

}  // namespace

Entry EpochDestroyed(const DatasetId& dataset, uint32_t epoch) {
  return {"epoch.destroyed", {{"dataset", AddressText(dataset)}, {"epoch", epoch}}};
}

Entry DraftAbandoned(const DraftId& draft) {
  return {"draft.abandoned", {{"draft", ToHex(draft)}}};
}

Entry DraftsAbandoned(const SignedOrder& order) { return {"drafts.abandoned", OfOrder(order)}; }

Entry VerifyOrdered(const SignedOrder& order, const SnapshotId& snapshot) {
  json::object fields = OfOrder(order);
  fields["snapshot"] = ToHex(snapshot);
  return {"verify.ordered", std::move(fields)};
}

Entry VerifyProgressed(const DatasetId& dataset, const SnapshotId& snapshot, uint64_t next,
                       uint64_t bytes, const std::vector<DamageRecord>& found, uint64_t damaged) {
  json::object fields = OfSnapshot(dataset, snapshot);
  json::array list;
  for (const DamageRecord& damage : found) {
    list.push_back(json::object{{"object", ToHex(damage.object)},
                                {"code", damage.code},
                                {"paths", json::array(damage.paths.begin(), damage.paths.end())},
                                {"path_count", damage.path_count}});
  }
  fields["next"] = next;
  fields["bytes"] = bytes;
  fields["damaged"] = damaged;
  fields["found"] = std::move(list);
  return {"verify.progressed", std::move(fields)};
}

Entry VerifyFinished(const DatasetId& dataset, const SnapshotId& snapshot) {
  return {"verify.finished", OfSnapshot(dataset, snapshot)};
}

Entry RotationOrdered(const SignedOrder& order, uint32_t epoch) {
  json::object fields = OfOrder(order);
  fields["epoch"] = epoch;
  return {"rotation.ordered", std::move(fields)};
}

Entry RotationProgressed(const DatasetId& dataset, const RotatedObjects& objects) {
  json::array list;
  for (const auto& [old, row] : objects) {
    list.push_back(json::object{{"old", ToHex(old)},
                                {"name", ToHex(row.name)},
                                {"header", ToHex(row.header)},
                                {"size", row.sealed_size}});
  }
  return {"rotation.progressed", {{"dataset", AddressText(dataset)}, {"objects", std::move(list)}}};
}

Entry SnapshotRotated(const DatasetId& dataset, const SnapshotId& old,
                      const SnapshotRecord& snapshot) {
  json::object fields = ToJsonObject(snapshot);
  fields["dataset"] = AddressText(dataset);
  fields["old"] = ToHex(old);
  return {"snapshot.rotated", std::move(fields)};
}

Entry RotationFinished(const DatasetId& dataset) {
  return {"rotation.finished", {{"dataset", AddressText(dataset)}}};
}

Entry SnapshotDeleted(const SignedOrder& order, const SnapshotId& snapshot,
                      std::string_view receipt) {
  json::object fields = OfOrder(order);
  fields["snapshot"] = ToHex(snapshot);
  fields["receipt"] = receipt;
  return {"snapshot.deleted", std::move(fields)};
}

Entry DatasetDeleted(const SignedOrder& order, std::string_view receipt) {
  json::object fields = OfOrder(order);
  fields["receipt"] = receipt;
  return {"dataset.deleted", std::move(fields)};
}

Result<bool> ApplyLifeEntry(Tables& tables, std::string_view type, const json::object& entry) {
  static const Appliers kAppliers = {
      {"epoch.destroyed", ApplyEpochDestroyed},
      {"draft.abandoned", ApplyDraftAbandoned},
      {"drafts.abandoned", ApplyDraftsAbandoned},
      {"verify.ordered", ApplyVerifyOrdered},
      {"verify.progressed", ApplyVerifyProgressed},
      {"verify.finished", ApplyVerifyFinished},
      {"rotation.ordered", ApplyRotationOrdered},
      {"rotation.progressed", ApplyRotationProgressed},
      {"snapshot.rotated", ApplySnapshotRotated},
      {"rotation.finished", ApplyRotationFinished},
      {"snapshot.deleted", ApplySnapshotDeleted},
      {"dataset.deleted", ApplyDatasetDeleted},
  };
  return ApplyByType(kAppliers, tables, type, entry);
}

}  // namespace cce::privacy_plane
