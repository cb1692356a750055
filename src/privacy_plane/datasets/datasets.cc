#include "privacy_plane/datasets/datasets.h"

#include <algorithm>

#include "base/log.h"
#include "chain/eip712.h"
#include "crypto/signed.h"
#include "dataset/receipt.h"
#include "privacy_plane/datasets/policies.h"
#include "privacy_plane/datasets/quota.h"
#include "privacy_plane/datasets/snapshots.h"

namespace cce::privacy_plane {
namespace {

using protocol::AddressText;

Error Unknown(const DatasetId& dataset) {
  return MakeError("dataset.unknown", "no dataset " + AddressText(dataset));
}

// The draft may be written to, or is a snapshot.
Result<> CheckOpen(const Tables& tables, const DraftRecord& draft) {
  TRY(CheckNotDeleted(tables.datasets.at(draft.dataset)));
  if (draft.abandoned) return Fail("upload.abandoned", "the upload was abandoned");
  return {};
}

// The checks that need no chain: that the document is a policy for this dataset and follows the one
// in force.
Result<protocol::DatasetPolicy> CheckDocument(const Tables& tables, const DatasetId& id,
                                              uint64_t chain_id,
                                              const protocol::SetPolicyRequest& request) {
  ASSIGN_OR_RETURN(protocol::DatasetPolicy policy, protocol::DecodePolicy(request.document));
  if (policy.dataset != id || policy.chain_id != chain_id) {
    return Fail(
        MakeError("policy.wrong_dataset", "the policy is for another dataset or chain")
            .Expected(AddressText(id) + " on chain " + std::to_string(chain_id))
            .Found(AddressText(policy.dataset) + " on chain " + std::to_string(policy.chain_id)));
  }
  TRY(AttestationPolicy(policy));
  TRY(GatePolicyOf(policy));
  const auto dataset = tables.datasets.find(id);
  const bool first = dataset == tables.datasets.end();
  if (!first) TRY(CheckNotDeleted(dataset->second));
  const uint64_t version = first ? 1 : dataset->second.policy().policy.version + 1;
  const Digest32 previous = first ? Digest32{} : dataset->second.policy().hash;
  if (policy.version != version || policy.previous != previous) {
    return Fail(MakeError("policy.version", "the policy does not follow the one in force")
                    .Expected("version " + std::to_string(version) + " after " + ToHex(previous))
                    .Found("version " + std::to_string(policy.version) + " after " +
                           ToHex(policy.previous)));
  }
  if (!first && request.signer != dataset->second.owner) {
    return Fail(MakeError("policy.not_owner", "only the dataset's owner may change its policy")
                    .Expected(AddressText(dataset->second.owner))
                    .Found(AddressText(request.signer)));
  }
  return policy;
}

}  // namespace

Result<> Datasets::CheckFirstPolicy(const DatasetId& dataset, const Wallet& signer,
                                    const chain::Block& block) {
  ASSIGN_OR_RETURN(const chain::OwnerAnswer owner, core_.rental->Owner(dataset, block));
  if (owner.owner != signer) {
    return Fail(MakeError("policy.not_owner", "only the contract's owner may open a dataset")
                    .Expected(AddressText(owner.owner) + " (owner() at block " +
                              std::to_string(owner.block.number) + ")")
                    .Found(AddressText(signer)));
  }
  return {};
}

Result<protocol::DatasetInfo> Datasets::SetPolicy(const DatasetId& id,
                                                  const protocol::SetPolicyRequest& request) {
  const uint64_t chain_id = core_.config.chain_id;
  ASSIGN_OR_RETURN(const protocol::DatasetPolicy policy,
                   core_.state->Read([&](const Tables& tables) {
                     return CheckDocument(tables, id, chain_id, request);
                   }));
  ASSIGN_OR_RETURN(const chain::Block block, core_.chain->FinalBlock());
  const chain::DatasetPolicyDocument signed_document{
      .dataset = id,
      .version = policy.version,
      .previous = policy.previous,
      .document = protocol::PolicyHash(request.document),
      .summary = protocol::PolicySummary(policy)};
  const chain::ChainWallets wallets(core_.chain, block);
  TRY(chain::VerifyDatasetPolicy(chain_id, signed_document, request.signer, request.signature,
                                 &wallets));
  if (policy.version == 1) TRY(CheckFirstPolicy(id, request.signer, block));
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    TRY(CheckDocument(tables, id, chain_id, request));
    return std::vector<Entry>{PolicySet(id, request.signer, request.document, request.signature)};
  }));
  Log(LogLevel::kInfo, "policy.set",
      {{"dataset", AddressText(id)}, {"version", std::to_string(policy.version)}});
  return Info(id);
}

Result<protocol::DatasetInfo> Datasets::Info(const DatasetId& id) const {
  return core_.state->Read([&](const Tables& tables) -> Result<protocol::DatasetInfo> {
    const auto it = tables.datasets.find(id);
    if (it == tables.datasets.end()) return Fail(Unknown(id));
    const DatasetRecord& dataset = it->second;
    protocol::DatasetInfo info{.dataset = id,
                               .owner = dataset.owner,
                               .policy = dataset.policy().document,
                               .policy_hash = dataset.policy().hash,
                               .policy_version = dataset.policy().policy.version};
    for (const auto& [snapshot_id, snapshot] : dataset.snapshots) {
      if (!snapshot.live()) continue;
      info.snapshots.push_back({.id = snapshot_id,
                                .time = snapshot.time,
                                .counts = snapshot.counts,
                                .leak_index = snapshot.leak_index.has_value()});
    }
    std::ranges::sort(info.snapshots, {}, &protocol::DatasetInfo::Snapshot::time);
    return info;
  });
}

Result<DraftRecord> Datasets::Draft(const TokenRecord& token) const {
  return core_.state->Read([&](const Tables& tables) -> Result<DraftRecord> {
    const auto it = tables.drafts.find(token.draft);
    if (it == tables.drafts.end()) return Fail("upload.wrong_draft", "no such draft");
    TRY(CheckOpen(tables, it->second));
    return it->second;
  });
}

// The part's header tells its size, so that what the quota refuses is refused before it is taken.
Datasets::PartAllowance Datasets::Allowance(const DatasetId& id) const {
  return core_.state->Read([&](const Tables& tables) {
    const DatasetRecord& dataset = tables.datasets.at(id);
    const Usage left = QuotaLeft(tables, dataset, core_.config);
    PartAllowance allowed;
    const Usage whole{.bytes = allowed.limits.max_payload, .files = allowed.limits.max_records};
    allowed.limits.max_payload = std::min(whole.bytes, left.bytes);
    allowed.limits.max_records = static_cast<uint32_t>(std::min(whole.files, left.files));
    if (const auto fits = CheckQuota(tables, dataset, core_.config, whole); !fits) {
      allowed.exceeded = fits.error();
    }
    return allowed;
  });
}

Result<dataset::PartReceipt> Datasets::AcceptPart(const TokenRecord& token, uint32_t part,
                                                  const dataset::ByteSource& source) {
  ASSIGN_OR_RETURN(const DraftRecord draft, Draft(token));
  if (draft.snapshot) return Fail("upload.finalized", "the draft is a snapshot already");
  const auto writing = writes_.Begin();
  const auto known = draft.parts.find(part);
  const dataset::PartReceipt* acknowledged = known == draft.parts.end() ? nullptr : &known->second;
  ASSIGN_OR_RETURN(const auto store, core_.open_store(draft.dataset));
  ASSIGN_OR_RETURN(const SecretBytes dek, DekOf(draft.dataset, draft.epoch));
  const PartAllowance allowed =
      acknowledged != nullptr ? PartAllowance{} : Allowance(draft.dataset);
  const dataset::DraftWriter writer(*store, draft.dataset, draft.id, draft.epoch, dek,
                                    allowed.limits);
  Result<dataset::PartReceipt> accepted = writer.AcceptPart(part, source, acknowledged);
  if (!accepted && accepted.error().code == "upload.part_too_large" && allowed.exceeded) {
    return Fail(*allowed.exceeded);
  }
  if (!accepted) return accepted;
  const dataset::PartReceipt receipt = *accepted;
  if (acknowledged != nullptr) return receipt;
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    const DraftRecord& now = tables.drafts.at(draft.id);
    TRY(CheckOpen(tables, now));
    if (now.snapshot) return Fail("upload.finalized", "the draft is a snapshot already");
    if (const auto other = now.parts.find(part); other != now.parts.end()) {
      // The same part came twice at once: the first one counts.
      if (other->second.digest == receipt.digest) return std::vector<Entry>{};
      return Fail("upload.part_conflict", "another part of this number was taken meanwhile");
    }
    TRY(CheckQuota(tables, tables.datasets.at(draft.dataset), core_.config,
                   {.bytes = receipt.bytes, .files = receipt.pieces}));
    return std::vector<Entry>{PartAccepted(draft.id, receipt)};
  }));
  return receipt;
}

Result<> Datasets::CheckRoom(const TokenRecord& token, const protocol::RoomRequest& request) const {
  ASSIGN_OR_RETURN(const DraftRecord draft, Draft(token));
  TRY(core_.state->Read([&](const Tables& tables) {
    return CheckQuota(tables, tables.datasets.at(draft.dataset), core_.config,
                      {.bytes = request.bytes, .files = request.records});
  }));
  ASSIGN_OR_RETURN(const auto store, core_.open_store(draft.dataset));
  return store->CheckRoom(request.sealed);
}

Result<std::string> Datasets::SignReceipt(const DraftRecord& draft,
                                          const dataset::SnapshotInfo& info,
                                          const protocol::FinalizeMessage& message,
                                          UnixSeconds now) const {
  const dataset::Receipt receipt{.dataset = draft.dataset,
                                 .draft = draft.id,
                                 .snapshot = info.snapshot,
                                 .epoch = draft.epoch,
                                 .counts = info.counts,
                                 .salt = message.salt,
                                 .root = info.root,
                                 .time = now};
  return crypto::DsseSign(core_.keys->identity_key(), dataset::kReceiptPayloadType,
                          AsBytes(dataset::ReceiptToJson(receipt)));
}

Result<protocol::FinalizeReply> Datasets::Finalize(const TokenRecord& token,
                                                   const protocol::FinalizeMessage& message) {
  ASSIGN_OR_RETURN(const DraftRecord draft, Draft(token));
  if (draft.snapshot) {
    return core_.state->Read([&](const Tables& tables) -> Result<protocol::FinalizeReply> {
      const SnapshotRecord& snapshot =
          tables.datasets.at(draft.dataset).snapshots.at(*draft.snapshot);
      if (snapshot.root != message.root) {
        return Fail("upload.finalized", "the draft is a snapshot already, of another content");
      }
      return protocol::FinalizeReply{snapshot.id, snapshot.receipt};
    });
  }
  const auto writing = writes_.Begin();
  std::vector<dataset::PartReceipt> receipts;
  receipts.reserve(draft.parts.size());
  for (const auto& [number, receipt] : draft.parts) receipts.push_back(receipt);
  ASSIGN_OR_RETURN(const auto store, core_.open_store(draft.dataset));
  ASSIGN_OR_RETURN(const SecretBytes dek, DekOf(draft.dataset, draft.epoch));
  const dataset::DraftWriter writer(*store, draft.dataset, draft.id, draft.epoch, dek);
  ASSIGN_OR_RETURN(
      const dataset::SnapshotInfo info,
      writer.Finalize(receipts,
                      {.salt = message.salt, .root = message.root, .counts = message.counts},
                      [&](const SnapshotId& base) { return FindBase(draft, base); }));
  SnapshotRecord snapshot{.id = info.snapshot,
                          .epoch = draft.epoch,
                          .counts = info.counts,
                          .root = info.root,
                          .objects = info.objects,
                          .index_size = info.index_size,
                          .time = core_.clock->Now()};
  ASSIGN_OR_RETURN(snapshot.receipt, SignReceipt(draft, info, message, snapshot.time));
  TRY(core_.state->Transact([&](const Tables& tables) -> Result<std::vector<Entry>> {
    TRY(CheckOpen(tables, tables.drafts.at(draft.id)));
    if (tables.drafts.at(draft.id).snapshot) {
      return Fail("upload.finalized", "the draft was finalized meanwhile");
    }
    // What is shared must still belong to a snapshot, or it may be removed.
    if (info.base && !CheckReadable(tables.datasets.at(draft.dataset), *info.base)) {
      return Fail("upload.no_base", "the base snapshot was deleted meanwhile");
    }
    TRY(CheckQuota(tables, tables.datasets.at(draft.dataset), core_.config, {.snapshots = 1}));
    return std::vector<Entry>{SnapshotFinalized(draft.id, snapshot)};
  }));
  if (const Result<> dropped = writer.DropRecords(receipts); !dropped) {
    LogError(LogLevel::kWarn, "upload.records_left", dropped.error());
  }
  Log(LogLevel::kInfo, "snapshot.finalized",
      {{"dataset", AddressText(draft.dataset)}, {"snapshot", ToHex(snapshot.id)}});
  on_snapshot_(draft.dataset, snapshot.id);
  return protocol::FinalizeReply{snapshot.id, snapshot.receipt};
}

Result<SecretBytes> Datasets::EpochSecret(const DatasetId& id, uint32_t epoch) const {
  ASSIGN_OR_RETURN(const Digest32 commitment,
                   core_.state->Read([&](const Tables& tables) -> Result<Digest32> {
                     const auto dataset = tables.datasets.find(id);
                     if (dataset == tables.datasets.end()) return Fail(Unknown(id));
                     const auto found = dataset->second.epochs.find(epoch);
                     if (found == dataset->second.epochs.end() || found->second.destroyed != 0) {
                       return Fail("dataset.epoch_ended", "the epoch's secret is destroyed");
                     }
                     return found->second.commitment;
                   }));
  return core_.epoch_secrets->Load(id, epoch, commitment);
}

Result<SecretBytes> Datasets::DekOf(const DatasetId& id, uint32_t epoch) const {
  ASSIGN_OR_RETURN(const SecretBytes secret, EpochSecret(id, epoch));
  return core_.keys->Dek(id, epoch, secret.Expose());
}

Result<SecretBytes> Datasets::LeakIndexSealKey(const DatasetId& id, uint32_t epoch) const {
  ASSIGN_OR_RETURN(const SecretBytes secret, EpochSecret(id, epoch));
  return core_.keys->LeakIndexSealKey(id, epoch, secret.Expose());
}

Result<std::unique_ptr<Datasets::OpenedSnapshot>> Datasets::OpenSnapshot(
    const DatasetId& id, const SnapshotId& snapshot_id, uint64_t max_index) const {
  const uint64_t size = core_.state->Read([&](const Tables& tables) -> uint64_t {
    const auto dataset = tables.datasets.find(id);
    if (dataset == tables.datasets.end()) return 0;
    const auto snapshot = dataset->second.snapshots.find(snapshot_id);
    return snapshot == dataset->second.snapshots.end() ? 0 : snapshot->second.index_size;
  });
  if (size > max_index) {
    return Fail(MakeError("dataset.too_large", "the snapshot's index is too large for this")
                    .Expected("at most " + std::to_string(max_index) + " bytes")
                    .Found(std::to_string(size) + " bytes"));
  }
  ASSIGN_OR_RETURN(std::vector<protocol::EpochKey> epochs, Keys(id, snapshot_id));
  dataset::EpochKeys keys;
  for (protocol::EpochKey& epoch : epochs) keys.emplace(epoch.epoch, std::move(epoch.dek));
  auto opened = std::make_unique<OpenedSnapshot>();
  ASSIGN_OR_RETURN(opened->store, core_.open_store(id));
  ASSIGN_OR_RETURN(opened->reader,
                   dataset::SnapshotReader::Open(*opened->store, id, snapshot_id, std::move(keys),
                                                 {.max_index_bytes = max_index}));
  return opened;
}

Result<std::vector<protocol::EpochKey>> Datasets::Keys(const DatasetId& id,
                                                       const SnapshotId& snapshot_id) const {
  ASSIGN_OR_RETURN(const uint32_t epoch,
                   core_.state->Read([&](const Tables& tables) -> Result<uint32_t> {
                     const auto dataset = tables.datasets.find(id);
                     if (dataset == tables.datasets.end()) return Fail(Unknown(id));
                     TRY(CheckReadable(dataset->second, snapshot_id));
                     return dataset->second.snapshots.at(snapshot_id).epoch;
                   }));
  std::vector<protocol::EpochKey> keys;
  ASSIGN_OR_RETURN(SecretBytes dek, DekOf(id, epoch));
  keys.push_back({epoch, std::move(dek)});
  return keys;
}

}  // namespace cce::privacy_plane
