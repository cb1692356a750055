#include "privacy_plane/datasets/orders.h"

#include <algorithm>

#include "base/log.h"
#include "chain/eip712.h"
#include "crypto/signed.h"
#include "privacy_plane/datasets/deletion.h"
#include "privacy_plane/datasets/snapshots.h"

namespace cce::privacy_plane {
namespace {

using protocol::AddressText;
using protocol::DatasetOrder;
using protocol::SnapshotId;

Result<const DatasetRecord*> FindDataset(const Tables& tables, const DatasetId& id) {
  const auto it = tables.datasets.find(id);
  if (it == tables.datasets.end()) return Fail("dataset.unknown", "no dataset " + AddressText(id));
  return &it->second;
}

// Who orders, and that it is the next order.
Result<> CheckNext(const DatasetRecord& dataset, const DatasetOrder& order) {
  if (order.signer != dataset.owner) {
    return Fail(MakeError("signin.not_owner", "only the dataset's owner gives orders about it")
                    .Expected(AddressText(dataset.owner))
                    .Found(AddressText(order.signer)));
  }
  TRY(CheckNotDeleted(dataset));
  if (order.number != dataset.orders + 1) {
    return Fail(MakeError("order.number", "the order is not the next one")
                    .Expected("number " + std::to_string(dataset.orders + 1))
                    .Found("number " + std::to_string(order.number)));
  }
  return {};
}

SignedOrder ToSigned(const DatasetId& dataset, const DatasetOrder& order) {
  return {dataset, order.number, order.signer, order.signature};
}

bool HasOpenDraft(const Tables& tables, const DatasetId& dataset) {
  return std::ranges::any_of(tables.drafts, [&](const auto& item) {
    return item.second.dataset == dataset && item.second.open();
  });
}

Result<std::vector<Entry>> OrderVerify(const DatasetRecord& dataset, const DatasetOrder& order) {
  TRY(CheckLive(dataset, order.snapshot));
  const auto& verification = dataset.snapshots.at(order.snapshot).verification;
  if (verification && verification->finished == 0) {
    return Fail("verify.running", "the snapshot is being verified already");
  }
  return std::vector<Entry>{VerifyOrdered(ToSigned(dataset.id, order), order.snapshot)};
}

Result<std::vector<Entry>> OrderRotate(const Tables& tables, const EpochSecrets& secrets,
                                       const DatasetRecord& dataset, const DatasetOrder& order) {
  if (dataset.rotation) return Fail("rotate.running", "the dataset is being rotated already");
  if (HasOpenDraft(tables, dataset.id)) {
    return Fail("rotate.upload_open", "an upload to the dataset is not finalized");
  }
  const bool any =
      std::ranges::any_of(dataset.snapshots, [](const auto& item) { return item.second.live(); });
  if (!any) return Fail("rotate.nothing", "the dataset has no snapshot");
  const uint32_t epoch = dataset.epochs.rbegin()->first + 1;
  ASSIGN_OR_RETURN(const Digest32 commitment, secrets.Create(dataset.id, epoch));
  return std::vector<Entry>{EpochOpened(dataset.id, epoch, commitment),
                            RotationOrdered(ToSigned(dataset.id, order), epoch)};
}

// The end of a job whose data is gone, explained to operator and owners.
void EndJob(const JobId& job, const std::string& why, UnixSeconds now,
            std::vector<Entry>& entries) {
  RefusalRecord refusal{.time = now, .step = "data"};
  refusal.error = MakeError("dataset.deleted", why);
  entries.push_back(StepRefused(job, refusal));
  entries.push_back(JobEnded(job, protocol::JobState::kFailed, protocol::Outcome::kDataUnusable));
}

}  // namespace

std::vector<std::string> WhatUndoesDestruction(const Core& core) {
  std::vector<std::string> out;
  if (core.config.anchor_contract.empty()) {
    out.emplace_back(
        "the journal has no freshness source: an engine started from an older copy of its state "
        "would not notice");
  }
  for (const std::string& part : core.identity.development) {
    if (part.starts_with("root key: ")) {
      out.push_back("the root key is a development part (" + part +
                    "): who has a copy of it opens an older copy of the state");
    }
  }
  return out;
}

Result<> Orders::CheckSignature(const DatasetId& dataset, const DatasetOrder& order) const {
  ASSIGN_OR_RETURN(const chain::Block block, core_.chain->FinalBlock());
  const chain::ChainWallets wallets(core_.chain, block);
  const chain::DatasetOrderDocument document{.dataset = dataset,
                                             .number = order.number,
                                             .action = order.action,
                                             .snapshot = order.snapshot,
                                             .summary = protocol::OrderSummary(dataset, order)};
  return chain::VerifyDatasetOrder(core_.config.chain_id, document, order.signer, order.signature,
                                   &wallets);
}

Result<> Orders::Journal(const DatasetId& id, const DatasetOrder& order) {
  return core_.state
      ->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
        ASSIGN_OR_RETURN(const DatasetRecord* const dataset, FindDataset(tables, id));
        TRY(CheckNext(*dataset, order));
        if (order.action == "verify") return OrderVerify(*dataset, order);
        if (order.action == "rotate") {
          return OrderRotate(tables, *core_.epoch_secrets, *dataset, order);
        }
        return std::vector<Entry>{DraftsAbandoned(ToSigned(id, order))};
      })
      .transform([](uint64_t) {});
}

Result<> Orders::DestroyEnded(const DatasetId& id) {
  const auto ended = core_.state->Read([&](const Tables& tables) {
    std::vector<Digest32> out;
    for (const auto& [number, epoch] : tables.datasets.at(id).epochs) {
      if (epoch.destroyed != 0) out.push_back(epoch.commitment);
    }
    return out;
  });
  for (const Digest32& commitment : ended) TRY(core_.epoch_secrets->Destroy(commitment));
  return {};
}

Result<> Orders::Delete(const DatasetId& id, const DatasetOrder& order) {
  std::vector<JobId> jobs;
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    ASSIGN_OR_RETURN(const DatasetRecord* const dataset, FindDataset(tables, id));
    TRY(CheckNext(*dataset, order));
    ASSIGN_OR_RETURN(const DeletionPlan plan, PlanDeletion(tables, *dataset, order.snapshot));
    protocol::DeletionReceipt receipt{.dataset = id,
                                      .number = order.number,
                                      .whole = plan.whole,
                                      .snapshots = plan.snapshots,
                                      .epochs = plan.epochs,
                                      .entry = core_.state->journal().Size(),
                                      .time = core_.clock->Now(),
                                      .undone_by = WhatUndoesDestruction(core_)};
    for (const uint32_t epoch : plan.kept_epochs) {
      receipt.undone_by.push_back("epoch " + std::to_string(epoch) +
                                  " is needed by other snapshots or uploads: a copy of the store's "
                                  "objects can be read with its key until a rotation ends it");
    }
    if (!core_.config.anchor_contract.empty()) {
      receipt.freshness = "contract " + core_.config.anchor_contract + " on chain " +
                          std::to_string(core_.config.chain_id);
    }
    ASSIGN_OR_RETURN(const std::string envelope,
                     crypto::DsseSign(core_.keys->identity_key(), protocol::kDeletionPayloadType,
                                      AsBytes(protocol::ToJson(receipt))));
    std::vector<Entry> entries;
    const SignedOrder signed_order = ToSigned(id, order);
    entries.push_back(plan.whole ? DatasetDeleted(signed_order, envelope)
                                 : SnapshotDeleted(signed_order, order.snapshot, envelope));
    for (const uint32_t epoch : plan.epochs) entries.push_back(EpochDestroyed(id, epoch));
    for (const JobId& job : plan.jobs) {
      EndJob(job, "the owner of " + AddressText(id) + " deleted the data", receipt.time, entries);
    }
    jobs = plan.jobs;
    return entries;
  }));
  Log(LogLevel::kInfo, "dataset.deleted",
      {{"dataset", AddressText(id)}, {"snapshot", ToHex(order.snapshot)}});
  for (const JobId& job : jobs) controller_.EndMachine(job);
  return {};
}

std::string Orders::ReceiptOf(const DatasetId& id, const DatasetOrder& order) const {
  return core_.state->Read([&](const Tables& tables) -> std::string {
    const auto dataset = tables.datasets.find(id);
    if (dataset == tables.datasets.end() || dataset->second.orders != order.number) return {};
    if (order.snapshot == SnapshotId{}) return dataset->second.deletion_receipt;
    const auto snapshot = dataset->second.snapshots.find(order.snapshot);
    return snapshot == dataset->second.snapshots.end() ? std::string()
                                                       : snapshot->second.deletion_receipt;
  });
}

Result<protocol::DatasetOrderReply> Orders::Take(const DatasetId& id, const DatasetOrder& order) {
  // The cheap checks first; they are repeated with the tables held still.
  const bool deletes = order.action == "delete";
  const bool repeat = deletes && !ReceiptOf(id, order).empty();
  if (!repeat) {
    TRY(core_.state->Read([&](const Tables& tables) -> Result<> {
      ASSIGN_OR_RETURN(const DatasetRecord* const dataset, FindDataset(tables, id));
      return CheckNext(*dataset, order);
    }));
  }
  TRY(CheckSignature(id, order));
  if (!repeat) TRY(deletes ? Delete(id, order) : Journal(id, order));
  protocol::DatasetOrderReply reply{.number = order.number};
  if (deletes) {
    TRY(DestroyEnded(id));
    reply.receipt = ReceiptOf(id, order);
  }
  if (order.action == "verify" || order.action == "rotate") {
    maintenance_.Wake();
  } else {
    maintenance_.Collect(id);
  }
  return reply;
}

}  // namespace cce::privacy_plane
