#include "privacy_plane/state/entry_json.h"

namespace cce::privacy_plane {
namespace {

using protocol::AddressText;
using protocol::HexField;

Result<DraftRecord*> FindDraft(Tables& tables, const DraftId& id) {
  const auto it = tables.drafts.find(id);
  if (it == tables.drafts.end()) {
    return Fail("journal.edited", "an entry names a draft that no entry before it made");
  }
  return &it->second;
}

Result<> ApplyPolicySet(Tables& tables, uint64_t seq, Fields& f) {
  const auto id = HexField<20>(f, "dataset");
  const auto signer = HexField<20>(f, "signer");
  PolicyRecord record{.document = f.Base64("document", 1 << 20)};
  f.Hex("signature", 0);
  TRY(f.Finish());
  ASSIGN_OR_RETURN(record.policy, protocol::DecodePolicy(record.document));
  record.hash = protocol::PolicyHash(record.document);
  record.entry = seq;
  DatasetRecord& dataset = tables.datasets[id];
  if (dataset.policies.empty()) {
    dataset.id = id;
    dataset.owner = signer;
  }
  dataset.policies.push_back(std::move(record));
  return {};
}

Result<> ApplyEpochOpened(Tables& tables, Fields& f) {
  const auto id = HexField<20>(f, "dataset");
  const uint32_t epoch = ReadU32Field(f, "epoch");
  const auto commitment = HexField<32>(f, "commitment");
  TRY(f.Finish());
  ASSIGN_OR_RETURN(DatasetRecord* const dataset, FindDataset(tables, id));
  dataset->epochs[epoch] = {.commitment = commitment, .opened = tables.last_time};
  return {};
}

Result<> ApplyTokenIssued(Tables& tables, Fields& f) {
  const auto hash = HexField<32>(f, "token");
  TokenRecord token;
  token.purpose = f.Choice("purpose", {"upload", "owner"}) == "upload"
                      ? TokenRecord::Purpose::kUpload
                      : TokenRecord::Purpose::kOwner;
  token.wallet = HexField<20>(f, "wallet");
  token.dataset = HexField<20>(f, "dataset");
  token.draft = HexField<16>(f, "draft");
  token.expires_at = static_cast<UnixSeconds>(f.Uint("expires_at", {.max = INT64_MAX}));
  TRY(f.Finish());
  tables.tokens[hash] = token;
  return {};
}

Result<> ApplyTokenRevoked(Tables& tables, Fields& f) {
  const auto hash = HexField<32>(f, "token");
  TRY(f.Finish());
  tables.tokens[hash].revoked = true;
  return {};
}

Result<> ApplyDraftOpened(Tables& tables, Fields& f) {
  DraftRecord draft;
  draft.id = HexField<16>(f, "draft");
  draft.dataset = HexField<20>(f, "dataset");
  draft.owner = HexField<20>(f, "owner");
  draft.epoch = ReadU32Field(f, "epoch");
  TRY(f.Finish());
  draft.touched = tables.last_time;
  tables.drafts[draft.id] = draft;
  return {};
}

Result<> ApplyPartAccepted(Tables& tables, Fields& f) {
  const auto id = HexField<16>(f, "draft");
  dataset::PartReceipt receipt;
  receipt.part = ReadU32Field(f, "part");
  receipt.digest = HexField<32>(f, "digest");
  receipt.record = HexField<32>(f, "record");
  receipt.record_size = f.Uint("record_size", {});
  receipt.pieces = ReadU32Field(f, "pieces");
  receipt.bytes = f.Uint("bytes", {});
  receipt.object = ReadStoredObject(f.Object("object"));
  TRY(f.Finish());
  ASSIGN_OR_RETURN(DraftRecord* const draft, FindDraft(tables, id));
  draft->parts[receipt.part] = receipt;
  draft->bytes += receipt.bytes;
  draft->touched = tables.last_time;
  return {};
}

Result<> ApplySnapshotFinalized(Tables& tables, Fields& f) {
  const auto draft_id = HexField<16>(f, "draft");
  SnapshotRecord snapshot = ReadSnapshot(f);
  TRY(f.Finish());
  ASSIGN_OR_RETURN(DraftRecord* const draft, FindDraft(tables, draft_id));
  ASSIGN_OR_RETURN(DatasetRecord* const dataset, FindDataset(tables, draft->dataset));
  draft->snapshot = snapshot.id;
  draft->parts.clear();
  snapshot.place = dataset->snapshots.size();
  dataset->snapshots[snapshot.id] = std::move(snapshot);
  return {};
}

Result<> ApplyLeakIndexBuilt(Tables& tables, Fields& f) {
  const auto id = HexField<20>(f, "dataset");
  const auto snapshot = HexField<32>(f, "snapshot");
  const dataset::StoredObject object = ReadStoredObject(f.Object("object"));
  TRY(f.Finish());
  ASSIGN_OR_RETURN(SnapshotRecord* const record, FindSnapshot(tables, id, snapshot));
  record->leak_index = object;
  return {};
}

}  // namespace

json::object ToJsonObject(const dataset::StoredObject& object) {
  return {{"name", ToHex(object.name)}, {"size", object.size}};
}

dataset::StoredObject ReadStoredObject(Fields f) {
  return {.name = HexField<32>(f, "name"), .size = f.Uint("size", {})};
}

json::object ToJsonObject(const SnapshotRecord& snapshot) {
  json::array objects;
  for (const dataset::StoredObject& object : snapshot.objects) {
    objects.push_back(ToJsonObject(object));
  }
  return {{"snapshot", ToHex(snapshot.id)},
          {"epoch", snapshot.epoch},
          {"counts", cce::ToJsonObject(snapshot.counts)},
          {"root", ToHex(snapshot.root)},
          {"index_size", snapshot.index_size},
          {"receipt", snapshot.receipt},
          {"time", snapshot.time},
          {"objects", std::move(objects)}};
}

SnapshotRecord ReadSnapshot(Fields& f) {
  SnapshotRecord snapshot;
  snapshot.id = HexField<32>(f, "snapshot");
  snapshot.epoch = ReadU32Field(f, "epoch");
  snapshot.counts = ReadContentCounts(f.Object("counts"));
  snapshot.root = HexField<32>(f, "root");
  snapshot.index_size = f.Uint("index_size", {});
  snapshot.receipt = f.String("receipt", {.max = 65536});
  snapshot.time = static_cast<UnixSeconds>(f.Uint("time", {.max = INT64_MAX}));
  for (Fields& object : f.Objects("objects", {.max = size_t{1} << 22})) {
    snapshot.objects.push_back(ReadStoredObject(object));
  }
  return snapshot;
}

Result<DatasetRecord*> FindDataset(Tables& tables, const DatasetId& id) {
  const auto it = tables.datasets.find(id);
  if (it == tables.datasets.end()) {
    return Fail("journal.edited", "an entry names a dataset that no entry before it made");
  }
  return &it->second;
}

Result<SnapshotRecord*> FindSnapshot(Tables& tables, const DatasetId& id,
                                     const SnapshotId& snapshot) {
  ASSIGN_OR_RETURN(DatasetRecord* const dataset, FindDataset(tables, id));
  const auto it = dataset->snapshots.find(snapshot);
  if (it == dataset->snapshots.end()) {
    return Fail("journal.edited", "an entry names a snapshot that no entry before it made");
  }
  return &it->second;
}

Entry PolicySet(const DatasetId& dataset, const Wallet& signer, ByteView document,
                ByteView signature) {
  return {"policy.set",
          {{"dataset", AddressText(dataset)},
           {"signer", AddressText(signer)},
           {"document", ToBase64(document)},
           {"signature", ToHex(signature)}}};
}

Entry EpochOpened(const DatasetId& dataset, uint32_t epoch, const Digest32& commitment) {
  return {"epoch.opened",
          {{"dataset", AddressText(dataset)}, {"epoch", epoch}, {"commitment", ToHex(commitment)}}};
}

Entry TokenIssued(const Digest32& token_hash, const TokenRecord& token) {
  return {"token.issued",
          {{"token", ToHex(token_hash)},
           {"purpose", token.purpose == TokenRecord::Purpose::kUpload ? "upload" : "owner"},
           {"wallet", AddressText(token.wallet)},
           {"dataset", AddressText(token.dataset)},
           {"draft", ToHex(token.draft)},
           {"expires_at", token.expires_at}}};
}

Entry TokenRevoked(const Digest32& token_hash) {
  return {"token.revoked", {{"token", ToHex(token_hash)}}};
}

Entry DraftOpened(const DraftRecord& draft) {
  return {"draft.opened",
          {{"draft", ToHex(draft.id)},
           {"dataset", AddressText(draft.dataset)},
           {"owner", AddressText(draft.owner)},
           {"epoch", draft.epoch}}};
}

Entry PartAccepted(const DraftId& draft, const dataset::PartReceipt& receipt) {
  return {"part.accepted",
          {{"draft", ToHex(draft)},
           {"part", receipt.part},
           {"digest", ToHex(receipt.digest)},
           {"record", ToHex(receipt.record)},
           {"record_size", receipt.record_size},
           {"pieces", receipt.pieces},
           {"bytes", receipt.bytes},
           {"object", ToJsonObject(receipt.object)}}};
}

Entry SnapshotFinalized(const DraftId& draft, const SnapshotRecord& snapshot) {
  json::object fields = ToJsonObject(snapshot);
  fields["draft"] = ToHex(draft);
  return {"snapshot.finalized", std::move(fields)};
}

Entry LeakIndexBuilt(const DatasetId& dataset, const SnapshotId& snapshot,
                     const dataset::StoredObject& object) {
  return {"leak_index.built",
          {{"dataset", AddressText(dataset)},
           {"snapshot", ToHex(snapshot)},
           {"object", ToJsonObject(object)}}};
}

Result<bool> ApplyDatasetEntry(Tables& tables, uint64_t seq, std::string_view type,
                               const json::object& entry) {
  if (type == "policy.set") {
    Fields f(entry, std::string(type));
    TRY(ApplyPolicySet(tables, seq, f));
    return true;
  }
  static const Appliers kAppliers = {
      {"epoch.opened", ApplyEpochOpened},        {"token.issued", ApplyTokenIssued},
      {"token.revoked", ApplyTokenRevoked},      {"draft.opened", ApplyDraftOpened},
      {"part.accepted", ApplyPartAccepted},      {"snapshot.finalized", ApplySnapshotFinalized},
      {"leak_index.built", ApplyLeakIndexBuilt},
  };
  return ApplyByType(kAppliers, tables, type, entry);
}

Result<bool> ApplyByType(const Appliers& appliers, Tables& tables, std::string_view type,
                         const json::object& entry) {
  const auto applier = appliers.find(type);
  if (applier == appliers.end()) return false;
  Fields f(entry, std::string(type));
  TRY(applier->second(tables, f));
  return true;
}

}  // namespace cce::privacy_plane
