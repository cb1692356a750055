// The Result Manifest: what was run, on what, in which measured machine, by whose decision; an
// in-toto Statement v1 in a DSSE envelope signed by cced's identity key. Its bundle encloses
// everything that a stranger needs to check it offline, years later (docs/formats/manifest.md).
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "crypto/p256.h"
#include "protocol/identity.h"
#include "protocol/job_spec.h"
#include "protocol/key_release.h"
#include "tlog/entry_proof.h"

namespace cce::manifest {

using protocol::Digest32;

constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";
constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
constexpr std::string_view kPredicateType = "https://cce4long.org/result/v1";
// The subject that stands for the whole output: its deterministic tar.
constexpr std::string_view kOutputSubject = "output.tar";

constexpr size_t kMaxStatement = size_t{24} << 20;  // bytes of its JSON
constexpr size_t kMaxBundle = size_t{32} << 20;

struct FileSubject {
  std::string path;  // as in the tar
  Digest32 sha256{};
};

struct DatasetUse {
  protocol::DatasetId dataset{};
  protocol::SnapshotId snapshot{};
  Digest32 policy{};  // SHA-256 of the policy document in force when keys left
  uint64_t policy_version = 0;
  std::string access_mode;
};

struct Statement {
  Digest32 output{};  // SHA-256 of the output's tar
  std::vector<FileSubject> files;
  protocol::JobId job{};
  uint32_t attempt = 1;
  Digest32 job_spec{};  // SHA-256 of its bytes
  protocol::Wallet wallet{};
  uint64_t chain_id = 0;
  std::string image_repository;
  std::string image_digest;
  std::string source_digest;  // may be empty
  std::vector<std::string> command;
  std::vector<DatasetUse> datasets;
  json::array rentals;                       // what the chain said, at which block
  std::string measurement;                   // name of the whitelist entry
  json::object machine;                      // the evidence's fields (MRTD, RTMRs, ...)
  Digest32 keys_evidence{};                  // SHA-256 of the evidence that keys were released to
  Digest32 result_evidence{};                // SHA-256 of the evidence that the result came with
  Digest32 sealed_output{};                  // SHA-256 of the sealed output
  std::string outcome;                       // how the container ended
  std::string decision;                      // "auto_approved", "approved"
  std::vector<protocol::Wallet> decided_by;  // signers of owners' decisions; empty: the gate alone
  json::object gate;                         // classes of findings and counts, score, threshold
  std::vector<std::string> development;      // parts that are development parts
  UnixSeconds submitted_at = 0, keys_at = 0, result_at = 0, decided_at = 0;
};

std::string EncodeStatement(const Statement& statement);
// Errors: manifest.malformed.
Result<Statement> DecodeStatement(std::string_view text);

// A CVM's evidence with what REPORTDATA was made from.
struct KeysProof {
  Bytes evidence;
  std::string collateral;
  protocol::Challenge challenge{};
  protocol::RequestId request_id{};
  ByteArray<65> public_key{};
  std::string credential;
  std::string suite;
};
struct ResultProof {
  Bytes evidence;
  std::string collateral;
  protocol::Challenge challenge{};
  std::string credential;
};
// cced's evidence over the envelope: the challenge is SHA-256 of its bytes.
struct IdentityProof {
  Bytes document;
  Bytes evidence;
  std::string collateral;
};

struct Bundle {
  std::string envelope;  // DSSE of the statement
  IdentityProof identity;
  Bytes job_spec;
  Bytes launch_document;
  std::vector<Bytes> policies;  // documents, in the statement's order
  KeysProof keys;
  ResultProof result;
  tlog::EntryProof log;  // of the entry result.approved
};

// JSON, for people's eyes indented. Its last member is SHA-256 of all bytes before it, so that any
// changed byte is found, also in what no signature covers.
std::string EncodeBundle(const Bundle& bundle);
// Errors: manifest.malformed.
Result<Bundle> DecodeBundle(std::string_view text);

}  // namespace cce::manifest
