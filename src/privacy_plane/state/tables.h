// cced's state in memory: what the journal's entries, applied in order, come to. Read through
// State::Read; changed by nothing but Apply.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "dataset/draft_writer.h"
#include "dataset/index.h"
#include "protocol/dataset_policy.h"
#include "protocol/job_api.h"
#include "protocol/sign_in.h"

namespace cce::privacy_plane {

using protocol::DatasetId;
using protocol::Digest32;
using protocol::DraftId;
using protocol::JobId;
using protocol::SnapshotId;
using protocol::Wallet;

struct PolicyRecord {
  Bytes document;
  Digest32 hash{};
  protocol::DatasetPolicy policy;
  uint64_t entry = 0;  // journal sequence number
};

// What a scrub found wrong with one object.
struct DamageRecord {
  Digest32 object{};
  std::string code;                // dataset.corrupt, dataset.missing_object, ..
  std::vector<std::string> paths;  // some of what it holds, for the owner; escaped
  uint64_t path_count = 0;         // all of them
};

// One scrub of a snapshot, under way or done.
struct VerificationRecord {
  UnixSeconds started = 0;
  UnixSeconds finished = 0;  // 0: under way
  uint64_t next = 0;         // rows of the object table below this one are read
  uint64_t bytes = 0;        // sealed bytes read
  std::vector<DamageRecord> damage;
  uint64_t damaged = 0;  // objects; `damage` names the first of them
};

struct SnapshotRecord {
  SnapshotId id{};
  uint32_t epoch = 1;
  ContentCounts counts;
  Digest32 root{};
  std::vector<dataset::StoredObject> objects;  // content objects; the index is `id` itself
  uint64_t index_size = 0;
  std::string receipt;  // DSSE
  std::optional<dataset::StoredObject> leak_index;
  UnixSeconds time = 0;
  std::optional<VerificationRecord> verification;  // the newest
  std::optional<SnapshotId> predecessor;           // the one that this is the rotation of
  std::optional<SnapshotId> successor;             // its rotation: new jobs must name that one
  uint64_t place = 0;  // in the order in which the contents came: a rotation keeps it
  bool deleted = false;
  std::string deletion_receipt;  // DSSE
  // New jobs may name it.
  bool live() const { return !deleted && !successor; }
};

// A DEK's epoch. Its secret lies in EpochSecrets under the commitment.
struct EpochRecord {
  Digest32 commitment{};
  UnixSeconds opened = 0;
  UnixSeconds destroyed = 0;  // 0: it lives
};

// A rotation under way: everything is sealed anew under `epoch`.
struct RotationRecord {
  uint32_t epoch = 0;
  UnixSeconds started = 0;
  std::map<Digest32, dataset::IndexObject> done;  // old object's name -> new row
  uint64_t bytes = 0;                             // sealed bytes written
};

struct DraftRecord {
  DraftId id{};
  DatasetId dataset{};
  Wallet owner{};
  uint32_t epoch = 1;
  std::map<uint32_t, dataset::PartReceipt> parts;
  uint64_t bytes = 0;
  std::optional<SnapshotId> snapshot;  // once finalized
  bool abandoned = false;
  UnixSeconds touched = 0;  // opened, or its newest part
  bool open() const { return !snapshot && !abandoned; }
};

struct DatasetRecord {
  DatasetId id{};
  Wallet owner{};
  std::vector<PolicyRecord> policies;  // never empty; the last one holds
  std::map<uint32_t, EpochRecord> epochs;
  std::map<SnapshotId, SnapshotRecord> snapshots;
  std::optional<RotationRecord> rotation;
  uint64_t orders = 0;           // owner's orders taken: the next one has the number after it
  bool deleted = false;          // for good
  std::string deletion_receipt;  // DSSE
  const PolicyRecord& policy() const { return policies.back(); }
};

struct TokenRecord {
  enum class Purpose { kUpload, kOwner } purpose = Purpose::kOwner;
  Wallet wallet{};
  DatasetId dataset{};
  DraftId draft{};
  UnixSeconds expires_at = 0;
  bool revoked = false;
};

struct ReleaseRecord {    // keys left for one attempt
  Digest32 credential{};  // SHA-256 of the keys credential
  protocol::RequestId request_id{};
  protocol::Challenge challenge{};
  ByteArray<65> public_key{};
  std::string reply;  // KeysReply as sent
  std::string submit_credential;
  Bytes evidence;
  std::string collateral;
  std::string measurement;  // name of the whitelist entry
  json::object tee;         // the verdict's fields, for the manifest
  UnixSeconds time = 0;
  uint64_t entry = 0;  // journal sequence number
};

struct ResultRecord {
  Digest32 output{};  // SHA-256 of the sealed output
  uint64_t output_size = 0;
  protocol::Challenge challenge{};
  Bytes evidence;
  std::string collateral;
  protocol::Outcome outcome = protocol::Outcome::kSucceeded;
  std::vector<protocol::Stage> stages;
  UnixSeconds time = 0;
};

struct DecisionRecord {  // one owner's
  DatasetId dataset{};
  Wallet signer{};
  bool approved = false;
  std::string reason;
  Bytes signature;
};

struct RefusalRecord {  // for owner and operator
  UnixSeconds time = 0;
  std::string step;  // "keys", "result", "launch", ...
  Error error;
  json::value verdict;  // the tree of checks of refused evidence; null else
};

struct JobRecord {
  JobId id{};
  Digest32 token_hash{};
  Bytes spec_bytes;
  protocol::JobSpec spec;
  protocol::SignInRequest sign_in;
  json::array rentals;             // what the chain said, at which block
  std::vector<Digest32> policies;  // hash of each dataset's policy at submission
  protocol::JobState state = protocol::JobState::kQueued;
  protocol::Outcome outcome = protocol::Outcome::kSucceeded;
  UnixSeconds submitted_at = 0;
  UnixSeconds ended_at = 0;
  int64_t submitted_ms = 0, credential_ms = 0, machine_ms = 0, keys_ms = 0, result_ms = 0,
          decided_ms = 0;

  uint32_t attempt = 0;
  std::string credential;  // of the present attempt, purpose keys
  UnixSeconds credential_expires = 0;
  Bytes launch_document;
  bool credential_spent = false;
  std::optional<ReleaseRecord> release;
  std::optional<ResultRecord> result;
  json::object gate_report;                 // for the manifest
  std::vector<json::object> owner_reports;  // one a dataset, in the spec's order
  bool needs_human = false;
  std::vector<DecisionRecord> decisions;
  std::string decision;                    // "auto_approved" or "approved", once it is
  std::optional<uint64_t> approved_entry;  // journal sequence number of result.approved
  std::string manifest;                    // the bundle's text, once released
  std::vector<RefusalRecord> refusals;
};

struct Tables {
  std::map<DatasetId, DatasetRecord> datasets;
  std::map<DraftId, DraftRecord> drafts;
  std::map<Digest32, TokenRecord> tokens;  // by SHA-256 of the token
  std::map<JobId, JobRecord> jobs;
  std::map<Digest32, JobId> job_tokens;  // by SHA-256 of the token
  UnixSeconds last_time = 0;             // of the newest entry: time in cced never runs behind it
};

// One entry of the journal applied: the only way in which Tables change. Errors: journal.edited
// where an entry of a known type does not have its form.
Result<> Apply(Tables& tables, uint64_t seq, int64_t millis, std::string_view type,
               const json::object& entry);

}  // namespace cce::privacy_plane
