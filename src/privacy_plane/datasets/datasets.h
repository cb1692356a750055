// Datasets at cced: owners' policies, uploads, snapshots. Encryption is done here, as internal
// business logic: plaintext is never written to disk. Thread-safe.
#pragma once

#include <functional>

#include "dataset/part_wire.h"
#include "dataset/snapshot_reader.h"
#include "privacy_plane/core.h"
#include "privacy_plane/datasets/writes_in_flight.h"
#include "protocol/key_release.h"
#include "protocol/upload.h"

namespace cce::privacy_plane {

class Datasets {
 public:
  // `on_snapshot` is told of each new snapshot once it is in the journal (the leak index is built
  // then).
  Datasets(Core& core, std::function<void(const DatasetId&, const SnapshotId&)> on_snapshot)
      : core_(core), on_snapshot_(std::move(on_snapshot)) {}

  // The first policy's signer must be the contract's owner(); a later one is signed by the same
  // owner, names the one before and raises the version by one. Errors: policy.*, signer.*, chain.*.
  Result<protocol::DatasetInfo> SetPolicy(const DatasetId& dataset,
                                          const protocol::SetPolicyRequest& request);
  Result<protocol::DatasetInfo> Info(const DatasetId& dataset) const;

  // One part of the token's draft; repeats of an acknowledged part change nothing. Errors:
  // upload.*, dataset.*, io.*.
  Result<dataset::PartReceipt> AcceptPart(const TokenRecord& token, uint32_t part,
                                          const dataset::ByteSource& source);
  // Whether quota and store have room for what is about to be sent; nothing is set aside for it.
  // upload.quota, upload.quota_files, io.disk_full.
  Result<> CheckRoom(const TokenRecord& token, const protocol::RoomRequest& request) const;
  // With what the draft may refer to: the snapshot named, else the newest one of the draft's epoch,
  // if there is any. upload.no_base where the one named is not there.
  Result<protocol::DraftStatus> Status(const TokenRecord& token,
                                       const std::optional<SnapshotId>& base = {}) const;
  // The list of the base's files (dataset/known_files.h), which only the draft's own token opens:
  // what writes it, once the store has shown the base's index.
  using Sink = std::function<Result<>(ByteView)>;
  Result<std::function<Result<>(const Sink&)>> KnownFiles(const TokenRecord& token,
                                                          const SnapshotId& base) const;
  // Makes the snapshot and the signed receipt; repeats give the same receipt.
  Result<protocol::FinalizeReply> Finalize(const TokenRecord& token,
                                           const protocol::FinalizeMessage& message);

  // Whatever writes objects that the journal does not name yet holds a ticket of this.
  WritesInFlight& writes() { return writes_; }

  // The DEK of one epoch; dataset.epoch_ended once its secret is destroyed.
  Result<SecretBytes> DekOf(const DatasetId& dataset, uint32_t epoch) const;
  Result<SecretBytes> LeakIndexSealKey(const DatasetId& dataset, uint32_t epoch) const;
  // A snapshot opened for reading here; the index is all that it takes into memory. The store
  // lives as long as the reader. dataset.unknown_snapshot, dataset.deleted, dataset.epoch_ended,
  // dataset.too_large past `max_index` sealed bytes; as SnapshotReader::Open.
  struct OpenedSnapshot {
    std::shared_ptr<dataset::CiphertextStore> store;
    std::unique_ptr<dataset::SnapshotReader> reader;
    const dataset::Index& index() const { return reader->index(); }
  };
  Result<std::unique_ptr<OpenedSnapshot>> OpenSnapshot(const DatasetId& dataset,
                                                       const SnapshotId& snapshot,
                                                       uint64_t max_index) const;
  // What the reader of a snapshot needs.
  Result<std::vector<protocol::EpochKey>> Keys(const DatasetId& dataset,
                                               const SnapshotId& snapshot) const;

 private:
  // dataset.epoch_ended, dataset.epoch_lost.
  Result<SecretBytes> EpochSecret(const DatasetId& dataset, uint32_t epoch) const;
  Result<> CheckFirstPolicy(const DatasetId& dataset, const Wallet& signer,
                            const chain::Block& block);
  Result<DraftRecord> Draft(const TokenRecord& token) const;
  Result<dataset::SealedIndex> FindBase(const DraftRecord& draft, const SnapshotId& base) const;
  std::optional<SnapshotId> NewestBase(const DraftRecord& draft) const;
  // What one more part may hold. `exceeded`: what a larger one is told, where the quota is near.
  struct PartAllowance {
    dataset::PartLimits limits;
    std::optional<Error> exceeded;
  };
  PartAllowance Allowance(const DatasetId& dataset) const;
  Result<std::string> SignReceipt(const DraftRecord& draft, const dataset::SnapshotInfo& info,
                                  const protocol::FinalizeMessage& message, UnixSeconds now) const;

  Core& core_;
  WritesInFlight writes_;
  std::function<void(const DatasetId&, const SnapshotId&)> on_snapshot_;
};

}  // namespace cce::privacy_plane
