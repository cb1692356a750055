#include "protocol/upload.h"

namespace cce::protocol {
json::object ToJsonObject(const DraftStatus& status) {
  json::array parts;
  for (const DraftStatus::Part& part : status.parts) {
    parts.push_back(json::object{{"part", part.part}, {"digest", ToHex(part.digest)}});
  }
  json::object out{{"dataset", AddressText(status.dataset)}, {"parts", std::move(parts)}};
  if (status.snapshot) out["snapshot"] = ToHex(*status.snapshot);
  if (status.base) {
    out["base"] =
        json::object{{"snapshot", ToHex(status.base->snapshot)}, {"key", ToHex(status.base->key)}};
  }
  return out;
}

Result<DraftStatus> ReadDraftStatus(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "draft status", {.max_bytes = size_t{256} << 20}));
  Fields f(document);
  DraftStatus status;
  status.dataset = HexField<20>(f, "dataset");
  for (Fields& item : f.Objects("parts", {.max = size_t{1} << 22})) {
    status.parts.push_back({static_cast<uint32_t>(item.Uint("part", {.max = UINT32_MAX})),
                            HexField<32>(item, "digest")});
  }
  if (f.Has("snapshot")) status.snapshot = HexField<32>(f, "snapshot");
  if (f.Has("base")) {
    Fields base = f.Object("base");
    status.base.emplace();
    status.base->snapshot = HexField<32>(base, "snapshot");
    status.base->key = HexField<32>(base, "key");
  }
  TRY(f.Finish());
  return status;
}

json::object ToJsonObject(const RoomRequest& request) {
  return {{"bytes", request.bytes}, {"records", request.records}, {"sealed", request.sealed}};
}

Result<RoomRequest> ReadRoomRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "room request"));
  Fields f(document);
  const Fields::UintRule sizes{.max = INT64_MAX};
  RoomRequest request;
  request.bytes = f.Uint("bytes", sizes);
  request.records = f.Uint("records", sizes);
  request.sealed = f.Uint("sealed", sizes);
  TRY(f.Finish());
  return request;
}

json::object ToJsonObject(const FinalizeMessage& message) {
  return {{"salt", ToHex(message.salt)},
          {"root", ToHex(message.root)},
          {"counts", cce::ToJsonObject(message.counts)}};
}

Result<FinalizeMessage> ReadFinalizeMessage(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "finalize request"));
  Fields f(document);
  FinalizeMessage message;
  message.salt = HexField<32>(f, "salt");
  message.root = HexField<32>(f, "root");
  message.counts = ReadContentCounts(f.Object("counts"));
  TRY(f.Finish());
  return message;
}

json::object ToJsonObject(const FinalizeReply& reply) {
  return {{"snapshot", ToHex(reply.snapshot)}, {"receipt", reply.receipt}};
}

Result<FinalizeReply> ReadFinalizeReply(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "finalize reply"));
  Fields f(document);
  FinalizeReply reply;
  reply.snapshot = HexField<32>(f, "snapshot");
  reply.receipt = f.String("receipt", {.min = 1, .max = 65536});
  TRY(f.Finish());
  return reply;
}

json::object ToJsonObject(const DatasetInfo& info) {
  json::array snapshots;
  for (const DatasetInfo::Snapshot& snapshot : info.snapshots) {
    snapshots.push_back(json::object{{"id", ToHex(snapshot.id)},
                                     {"time", snapshot.time},
                                     {"counts", cce::ToJsonObject(snapshot.counts)},
                                     {"leak_index", snapshot.leak_index}});
  }
  return {{"dataset", AddressText(info.dataset)},  {"owner", AddressText(info.owner)},
          {"policy", ToBase64(info.policy)},       {"policy_hash", ToHex(info.policy_hash)},
          {"policy_version", info.policy_version}, {"snapshots", std::move(snapshots)}};
}

Result<DatasetInfo> ReadDatasetInfo(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "dataset", {.max_bytes = size_t{16} << 20}));
  Fields f(document);
  DatasetInfo info;
  info.dataset = HexField<20>(f, "dataset");
  info.owner = HexField<20>(f, "owner");
  info.policy = f.Base64("policy", 1 << 20);
  info.policy_hash = HexField<32>(f, "policy_hash");
  info.policy_version = f.Uint("policy_version", {});
  for (Fields& item : f.Objects("snapshots", {.max = 100000})) {
    DatasetInfo::Snapshot& snapshot = info.snapshots.emplace_back();
    snapshot.id = HexField<32>(item, "id");
    snapshot.time = static_cast<UnixSeconds>(item.Uint("time", {.max = INT64_MAX}));
    snapshot.counts = ReadContentCounts(item.Object("counts"));
    snapshot.leak_index = item.Bool("leak_index");
  }
  TRY(f.Finish());
  return info;
}

}  // namespace cce::protocol
