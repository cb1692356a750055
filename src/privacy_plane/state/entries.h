// The journal's entries: for each type, what it holds (the maker) and what it does to the tables
// (Apply). Maker and application stand side by side in dataset_entries.cc and job_entries.cc;
// docs/formats/journal.md lists them.
#pragma once

#include <string>

#include "privacy_plane/state/tables.h"
#include "protocol/credential.h"

namespace cce::privacy_plane {

struct Entry {
  std::string_view type;
  json::object fields;
};

// -- datasets
Entry PolicySet(const DatasetId& dataset, const Wallet& signer, ByteView document,
                ByteView signature);
Entry EpochOpened(const DatasetId& dataset, uint32_t epoch, const Digest32& commitment);
Entry EpochDestroyed(const DatasetId& dataset, uint32_t epoch);
Entry TokenIssued(const Digest32& token_hash, const TokenRecord& token);
Entry TokenRevoked(const Digest32& token_hash);
Entry DraftOpened(const DraftRecord& draft);
Entry PartAccepted(const DraftId& draft, const dataset::PartReceipt& receipt);
Entry SnapshotFinalized(const DraftId& draft, const SnapshotRecord& snapshot);
Entry LeakIndexBuilt(const DatasetId& dataset, const SnapshotId& snapshot,
                     const dataset::StoredObject& object);
Entry DraftAbandoned(const DraftId& draft);

// -- the life of datasets: what an owner ordered (signed), and how far it is
struct SignedOrder {
  DatasetId dataset{};
  uint64_t number = 0;
  Wallet signer{};
  Bytes signature;
};
Entry DraftsAbandoned(const SignedOrder& order);  // all open ones
Entry VerifyOrdered(const SignedOrder& order, const SnapshotId& snapshot);
// `found` since the entry before.
Entry VerifyProgressed(const DatasetId& dataset, const SnapshotId& snapshot, uint64_t next,
                       uint64_t bytes, const std::vector<DamageRecord>& found, uint64_t damaged);
Entry VerifyFinished(const DatasetId& dataset, const SnapshotId& snapshot);
Entry RotationOrdered(const SignedOrder& order, uint32_t epoch);
using RotatedObjects = std::vector<std::pair<Digest32, dataset::IndexObject>>;  // old name, new row
Entry RotationProgressed(const DatasetId& dataset, const RotatedObjects& objects);
// `snapshot` takes the place of `old`.
Entry SnapshotRotated(const DatasetId& dataset, const SnapshotId& old,
                      const SnapshotRecord& snapshot);
Entry RotationFinished(const DatasetId& dataset);
Entry SnapshotDeleted(const SignedOrder& order, const SnapshotId& snapshot,
                      std::string_view receipt);
Entry DatasetDeleted(const SignedOrder& order, std::string_view receipt);

// -- jobs
Entry JobSubmitted(const JobRecord& job);
Entry AttemptStarted(const JobId& job, uint32_t attempt, std::string_view credential,
                     UnixSeconds expires_at, ByteView launch_document);
Entry MachineStarted(const JobId& job);
Entry ChallengeIssued(const JobId& job, const protocol::Challenge& challenge,
                      protocol::CredentialPurpose purpose);
Entry KeysReleased(const JobId& job, const ReleaseRecord& release);
// A refusal of any step; the job goes on.
Entry StepRefused(const JobId& job, const RefusalRecord& refusal);
Entry ResultReceived(const JobId& job, const ResultRecord& result);
Entry GateReported(const JobId& job, const json::object& manifest_report,
                   const std::vector<json::object>& owner_reports, bool needs_human);
Entry OwnerDecided(const JobId& job, const DecisionRecord& decision);
// What the manifest encloses with its proof of inclusion: nothing in it is confidential.
Entry ResultApproved(const JobId& job, uint32_t attempt, const Digest32& output,
                     const Digest32& result, std::string_view decision);
Entry JobReleased(const JobId& job, std::string_view manifest);
// Ends without a release: state kRejected, kFailed or kCancelled.
Entry JobEnded(const JobId& job, protocol::JobState state, protocol::Outcome outcome);

// -- without effect on the tables: kept for the audit log
Entry DaemonStarted(const Digest32& identity, const Digest32& configuration);
Entry Delivered(const JobId& job);

// For Apply: reads an entry's fields of one family; false where the type is of another.
Result<bool> ApplyDatasetEntry(Tables& tables, uint64_t seq, std::string_view type,
                               const json::object& entry);
Result<bool> ApplyLifeEntry(Tables& tables, std::string_view type, const json::object& entry);
Result<bool> ApplyJobEntry(Tables& tables, uint64_t seq, int64_t millis, std::string_view type,
                           const json::object& entry);

}  // namespace cce::privacy_plane
