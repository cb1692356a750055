// Challenge and key release, between tee-agent and cced (docs/formats/protocol.md, "Key release").
//
//   POST /v1/cvm/challenge   ChallengeRequest -> ChallengeReply
//   POST /v1/cvm/keys        KeysRequest      -> KeysReply
//
// KeysReply.envelope is HPKE to the CVM's ephemeral key with info = Frame("cce4long/v1/key-bundle",
// report_data); KeysReply.signature is the identity key's over
// Frame("cce4long/v1/key-bundle-signature", report_data, envelope).
#pragma once

#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/p256.h"
#include "protocol/job_spec.h"
#include "protocol/report_data.h"

namespace cce::protocol {

struct ChallengeRequest {
  std::string credential;
};
struct ChallengeReply {
  Challenge challenge{};
  UnixSeconds expires_at = 0;
};

struct KeysRequest {
  std::string credential;
  Challenge challenge{};
  RequestId request_id{};
  ByteArray<65> public_key{};
  std::string suite;
  Bytes evidence;  // a TDX quote, or an SNP report and certificate table; at most kMaxEvidence
};
constexpr size_t kMaxEvidence = size_t{64} << 10;

struct KeysReply {
  Bytes envelope;
  crypto::P256PublicKey identity_key{};
  crypto::P256Signature signature{};
};

// What the envelope holds. The keys travel as raw bytes after a JSON head without secrets.
struct EpochKey {
  uint32_t epoch = 0;
  SecretBytes dek;  // 32 bytes
};
struct ReleasedDataset {
  DatasetId dataset{};
  SnapshotId snapshot{};
  std::string access_mode;  // "prefetch" or "demand"
  std::vector<EpochKey> keys;
};
struct KeyBundle {
  JobId job{};
  uint32_t attempt = 1;
  Bytes job_spec;  // the bytes whose hash the credential names
  std::vector<ReleasedDataset> datasets;
  SecretBytes rek;  // 32 bytes
  std::string
      storage_token;  // bearer for GET /v1/store/<dataset>/<object>, this job's objects only
  std::string submit_credential;
};

json::object ToJsonObject(const ChallengeRequest& message);
Result<ChallengeRequest> ReadChallengeRequest(std::string_view text);
json::object ToJsonObject(const ChallengeReply& message);
Result<ChallengeReply> ReadChallengeReply(std::string_view text);
json::object ToJsonObject(const KeysRequest& message);
Result<KeysRequest> ReadKeysRequest(std::string_view text);
json::object ToJsonObject(const KeysReply& message);
Result<KeysReply> ReadKeysReply(std::string_view text);

SecretBytes EncodeKeyBundle(const KeyBundle& bundle);
Result<KeyBundle> DecodeKeyBundle(ByteView bytes);

// Seals and signs; and the CVM's side: checks the identity key's hash, the signature, opens.
Result<KeysReply> SealKeyBundle(const KeyBundle& bundle, ByteView cvm_public_key,
                                const ReportData& report_data,
                                const crypto::P256PrivateKey& identity_key);
// Errors: keys.wrong_cced, crypto.bad_signature, crypto.decrypt_failed, input.*.
Result<KeyBundle> OpenKeyBundle(const KeysReply& reply, const crypto::P256PrivateKey& cvm_key,
                                const ReportData& report_data, const Digest32& identity_key_id);

}  // namespace cce::protocol
