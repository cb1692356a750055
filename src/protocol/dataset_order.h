// Orders of a dataset's owner about a dataset that is there, each signed (EIP-712, type
// DatasetOrder) and good once, and the receipt that cced signs for a deletion.
//
//   POST /v1/datasets/<dataset>/orders   DatasetOrder -> DatasetOrderReply
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "crypto/hash.h"
#include "protocol/identifiers.h"

namespace cce::protocol {

struct DatasetOrder {
  std::string action;     // "verify", "rotate", "delete" or "abandon" (all uploads under way)
  SnapshotId snapshot{};  // zeros: the whole dataset. verify needs one, delete may have one
  uint64_t number = 0;    // one more than the orders that cced took before
  Wallet signer{};
  Bytes signature;
};
json::object ToJsonObject(const DatasetOrder& order);
Result<DatasetOrder> ReadDatasetOrder(std::string_view text);
// What a wallet shows to the person who signs.
std::string OrderSummary(const DatasetId& dataset, const DatasetOrder& order);

struct DatasetOrderReply {
  uint64_t number = 0;
  std::string receipt;  // DSSE by the identity key, of a deletion; else empty
};
json::object ToJsonObject(const DatasetOrderReply& reply);
Result<DatasetOrderReply> ReadDatasetOrderReply(std::string_view text);

constexpr std::string_view kDeletionPayloadType =
    "application/vnd.cce4long.deletion-receipt.v1+json";

// cced's word about a deletion: what is destroyed, and what could undo it.
struct DeletionReceipt {
  DatasetId dataset{};
  uint64_t number = 0;                // of the order
  bool whole = false;                 // the dataset, for good
  std::vector<SnapshotId> snapshots;  // that cannot be read any more
  std::vector<uint32_t> epochs;       // whose secrets are destroyed
  uint64_t entry = 0;                 // the journal's entry
  UnixSeconds time = 0;
  // Why somebody with an older copy of the engine's state, or of the store, could still read the
  // data; empty: nobody can once `entry` is anchored at `freshness`.
  std::vector<std::string> undone_by;
  std::string freshness;  // "contract 0x.. on chain 1"; empty: none
};
std::string ToJson(const DeletionReceipt& receipt);
Result<DeletionReceipt> ReadDeletionReceipt(std::string_view text);

}  // namespace cce::protocol
