// The Job Credential: a JWT (ES256 by the identity key, typ "cce4long-job+jwt") that lets one CVM
// ask once for the keys of one attempt ("keys"), or hand in its one result ("submit").
#pragma once

#include <vector>

#include "base/clock.h"
#include "crypto/signed.h"
#include "protocol/identifiers.h"

namespace cce::protocol {

constexpr std::string_view kCredentialType = "cce4long-job+jwt";

enum class CredentialPurpose { kKeys, kSubmit };

struct JobCredential {
  CredentialPurpose purpose = CredentialPurpose::kKeys;
  ByteArray<16> nonce{};       // "jti"
  UnixSeconds issued_at = 0;   // "iat"
  UnixSeconds expires_at = 0;  // "exp"
  Wallet wallet{};             // "sub"
  JobId job{};
  uint32_t attempt = 1;
  Digest32 job_spec{};
  std::string image_digest;
  struct Input {
    DatasetId dataset;
    SnapshotId snapshot;
  };
  std::vector<Input> inputs;
  Digest32 release_key{};  // submit: SHA-256 of the ephemeral key that the keys went to; else zeros
};

Result<std::string> SignCredential(const JobCredential& credential,
                                   const crypto::P256PrivateKey& identity_key);
// Signature, form and purpose; expiry is the caller's. Errors: credential.invalid (form or
// signature), credential.purpose.
Result<JobCredential> VerifyCredential(std::string_view token,
                                       const crypto::P256PublicKey& identity_key,
                                       CredentialPurpose purpose);
// The claims without any check of the signature: for the CVM, which holds the identity key's hash
// alone until cced has answered.
Result<JobCredential> ReadCredential(std::string_view token);

}  // namespace cce::protocol
