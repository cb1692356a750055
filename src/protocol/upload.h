// A provider's upload (bearer: an upload token, which opened the draft); paths begin with /v1.
//
//   PUT  /drafts/<draft>/parts/<n>  wire form (docs/formats/dataset.md) -> {"part", "digest"}
//   GET  /drafts/<draft>[?base=<id>]  -> DraftStatus: what is there, what may be referred to
//   GET  /drafts/<draft>/known-files?base=<id>  -> the base's files (docs/formats/dataset.md)
//   POST /drafts/<draft>/room       RoomRequest -> {}: there is room for it
//   POST /drafts/<draft>/finalize   FinalizeMessage -> FinalizeReply
//   GET  /datasets/<dataset>        -> DatasetInfo (public)
#pragma once

#include <optional>
#include <vector>

#include "base/content_counts.h"
#include "protocol/dataset_policy.h"
#include "protocol/sign_in.h"

namespace cce::protocol {

// The snapshot whose files need not be sent again, and the key of the list of them.
struct DraftBase {
  SnapshotId snapshot{};
  ByteArray<32> key{};
};

struct DraftStatus {
  DatasetId dataset{};
  struct Part {
    uint32_t part = 0;
    Digest32 digest{};
  };
  std::vector<Part> parts;
  std::optional<SnapshotId> snapshot;
  std::optional<DraftBase> base;
};
json::object ToJsonObject(const DraftStatus& status);
Result<DraftStatus> ReadDraftStatus(std::string_view text);

// What a client is about to send of a draft.
struct RoomRequest {
  uint64_t bytes = 0;    // of content
  uint64_t records = 0;  // of parts: files, their pieces, folders, links
  uint64_t sealed = 0;   // bytes of the objects that hold it
};
json::object ToJsonObject(const RoomRequest& request);
Result<RoomRequest> ReadRoomRequest(std::string_view text);

struct FinalizeMessage {
  ByteArray<32> salt{};
  Digest32 root{};
  ContentCounts counts;
};
json::object ToJsonObject(const FinalizeMessage& message);
Result<FinalizeMessage> ReadFinalizeMessage(std::string_view text);

struct FinalizeReply {
  SnapshotId snapshot{};
  std::string receipt;  // DSSE by the identity key
};
json::object ToJsonObject(const FinalizeReply& reply);
Result<FinalizeReply> ReadFinalizeReply(std::string_view text);

struct DatasetInfo {
  DatasetId dataset{};
  Wallet owner{};
  Bytes policy;  // the document in force
  Digest32 policy_hash{};
  uint64_t policy_version = 0;
  struct Snapshot {
    SnapshotId id{};
    UnixSeconds time = 0;
    ContentCounts counts;
    bool leak_index = false;  // built: outputs can be judged without people
  };
  std::vector<Snapshot> snapshots;  // oldest first
};
json::object ToJsonObject(const DatasetInfo& info);
Result<DatasetInfo> ReadDatasetInfo(std::string_view text);

}  // namespace cce::protocol
