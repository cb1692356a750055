// cced's identity document: what a client pins. GET /v1/identity?challenge=HEX answers with the
// document's bytes and evidence whose REPORTDATA is IdentityReportData(challenge, bytes); nothing
// in it is believed before that verifies, and the TLS key of every later connection must be the one
// named here.
#pragma once

#include <vector>

#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "protocol/report_data.h"

namespace cce::protocol {

struct IdentityDocument {
  crypto::P256PublicKey identity_key{};  // signs credentials, bundles, receipts, manifests
  crypto::P256PublicKey review_key{};    // HPKE: source bundles are sealed to it
  crypto::Ed25519PublicKey log_key{};    // signs the audit log's checkpoints
  std::string log_origin;
  Digest32 tls_key{};              // SHA-256 of the TLS certificate's SubjectPublicKeyInfo
  std::string root_key_source;     // "tpm2", "snp", "dstack", "file"
  std::vector<std::string> roots;  // attestation roots that the configuration accepts
  uint64_t chain_id = 0;
  std::vector<std::string> chain_endpoints;
  std::string finality;
  Digest32 configuration{};              // SHA-256 of the effective configuration
  std::vector<std::string> development;  // parts that are development parts; empty in production
};

Bytes EncodeIdentity(const IdentityDocument& document);
Result<IdentityDocument> DecodeIdentity(ByteView bytes);
inline Digest32 IdentityHash(ByteView bytes) { return crypto::Sha256(bytes); }

struct IdentityReply {
  Bytes document;
  Bytes evidence;
  std::string collateral;  // a bundle in attest's JSON form
};
json::object ToJsonObject(const IdentityReply& reply);
Result<IdentityReply> ReadIdentityReply(std::string_view text);

}  // namespace cce::protocol
