// The dataset policy: what may open a dataset, decided by its owner alone. The owner signs
// (EIP-712, type DatasetPolicy) SHA-256 of the document's bytes with dataset, version and the
// previous document's hash. The first version's signer must be the contract's owner() and stays the
// owner; each later one is signed by the same.
#pragma once

#include <vector>

#include "crypto/hash.h"
#include "protocol/identifiers.h"

namespace cce::protocol {

struct DatasetPolicy {
  DatasetId dataset{};
  uint64_t chain_id = 0;
  uint64_t version = 1;                // grows by one
  Digest32 previous{};                 // zeros for version 1
  json::object attestation;            // attest's policy document: roots, measurements, TCB rules
  std::vector<std::string> images;     // container image digests; empty: any
  std::string access_mode;             // "prefetch" or "demand"
  json::object gate;                   // gate's policy document: threshold and rules
  std::vector<Wallet> reviewers;       // besides the owner
  bool release_failed_output = false;  // stdout and stderr of a job that failed may pass the gate
  bool allow_development = false;      // simulated roots, file root key, single chain endpoint
};

Bytes EncodePolicy(const DatasetPolicy& policy);
// From bytes as sent (JSON), and from a person's policy.toml.
Result<DatasetPolicy> DecodePolicy(ByteView bytes);
Result<DatasetPolicy> ReadPolicy(const Document& document);
// What a wallet shows to the person who signs: one line made from the document.
std::string PolicySummary(const DatasetPolicy& policy);
inline Digest32 PolicyHash(ByteView bytes) { return crypto::Sha256(bytes); }

// PUT /v1/datasets/<dataset>/policy
struct SetPolicyRequest {
  Bytes document;
  Bytes signature;  // EIP-712; EOA or EIP-1271
  Wallet signer{};
};
json::object ToJsonObject(const SetPolicyRequest& request);
Result<SetPolicyRequest> ReadSetPolicyRequest(std::string_view text);

}  // namespace cce::protocol
