#include "protocol/dataset_order.h"

#include <algorithm>

namespace cce::protocol {
namespace {

constexpr std::string_view kDeletionType = "cce4long/v1/deletion-receipt";
constexpr size_t kMaxDeleted = 100'000;

}  // namespace

json::object ToJsonObject(const DatasetOrder& order) {
  return {{"action", order.action},
          {"snapshot", ToHex(order.snapshot)},
          {"number", order.number},
          {"signer", AddressText(order.signer)},
          {"signature", ToHex(order.signature)}};
}

Result<DatasetOrder> ReadDatasetOrder(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "dataset order"));
  Fields f(document);
  DatasetOrder order;
  order.action = f.Choice("action", {"verify", "rotate", "delete", "abandon"});
  order.snapshot = HexField<32>(f, "snapshot");
  order.number = f.Uint("number", {.min = 1});
  order.signer = HexField<20>(f, "signer");
  order.signature = f.Hex("signature", 0);
  TRY(f.Finish());
  const bool named = order.snapshot != SnapshotId{};
  const bool may = order.action == "verify" || order.action == "delete";
  if (named ? !may : order.action == "verify") {
    return Fail(MakeError(
        "input.malformed",
        "the order to " + order.action + (named ? " takes no snapshot" : " must name a snapshot")));
  }
  return order;
}

std::string OrderSummary(const DatasetId& dataset, const DatasetOrder& order) {
  const std::string of = "dataset " + AddressText(dataset);
  const bool whole = order.snapshot == SnapshotId{};
  const std::string snapshot = "snapshot " + ToHex(order.snapshot) + " of " + of;
  if (order.action == "verify") return "Read and authenticate every object of " + snapshot;
  if (order.action == "rotate") {
    return "Seal " + of + " anew under a new epoch and destroy the old epochs' secrets";
  }
  if (order.action == "abandon") return "Abandon every upload to " + of + " that is not finalized";
  return "Delete " + (whole ? of : snapshot) + " for good: nobody will be able to read it again";
}

json::object ToJsonObject(const DatasetOrderReply& reply) {
  json::object out{{"number", reply.number}};
  if (!reply.receipt.empty()) out["receipt"] = reply.receipt;
  return out;
}

Result<DatasetOrderReply> ReadDatasetOrderReply(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "order reply", {.max_bytes = size_t{16} << 20}));
  Fields f(document);
  DatasetOrderReply reply;
  reply.number = f.Uint("number", {});
  reply.receipt = f.String("receipt", {.max = size_t{16} << 20, .fallback = ""});
  TRY(f.Finish());
  return reply;
}

std::string ToJson(const DeletionReceipt& receipt) {
  json::array snapshots;
  for (const SnapshotId& id : receipt.snapshots) snapshots.emplace_back(ToHex(id));
  return cce::ToJson(
      json::object{{"type", kDeletionType},
                   {"dataset", AddressText(receipt.dataset)},
                   {"number", receipt.number},
                   {"whole", receipt.whole},
                   {"snapshots", std::move(snapshots)},
                   {"epochs", json::array(receipt.epochs.begin(), receipt.epochs.end())},
                   {"entry", receipt.entry},
                   {"time", FormatTime(receipt.time)},
                   {"undone_by", json::array(receipt.undone_by.begin(), receipt.undone_by.end())},
                   {"freshness", receipt.freshness}});
}

Result<DeletionReceipt> ReadDeletionReceipt(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "deletion receipt", {.max_bytes = size_t{16} << 20}));
  Fields f(document);
  DeletionReceipt receipt;
  if (f.String("type", {.max = 64}) != kDeletionType) {
    return Fail("input.malformed", "this is no deletion receipt");
  }
  receipt.dataset = HexField<20>(f, "dataset");
  receipt.number = f.Uint("number", {});
  receipt.whole = f.Bool("whole");
  for (const std::string& id : f.Strings("snapshots", {.max = kMaxDeleted})) {
    ASSIGN_OR_RETURN(receipt.snapshots.emplace_back(), ArrayFromHex<32>(id));
  }
  if (const json::value* epochs = f.Raw("epochs"); epochs != nullptr && epochs->is_array()) {
    for (const json::value& epoch : epochs->get_array()) {
      const auto number = epoch.is_int64() ? epoch.get_int64() : -1;
      if (number < 0 || number > UINT32_MAX) f.Reject("epochs", "must be numbers of epochs");
      receipt.epochs.push_back(static_cast<uint32_t>(std::max<int64_t>(number, 0)));
    }
  } else {
    f.Reject("epochs", "must be a list");
  }
  receipt.entry = f.Uint("entry", {});
  const std::string time = f.String("time", {.max = 64});
  receipt.undone_by = f.Strings("undone_by", {.max = 64});
  receipt.freshness = f.String("freshness", {.max = 256});
  TRY(f.Finish());
  ASSIGN_OR_RETURN(receipt.time, ParseTime(time));
  return receipt;
}

}  // namespace cce::protocol
