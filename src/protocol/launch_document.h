// The launch document: the first message on a CVM's control stream, measured into MRCONFIGID
// (SHA-384, TDX) or HOST_DATA (SHA-256, SNP) before the first instruction runs.
#pragma once

#include "protocol/identifiers.h"
#include "protocol/job_spec.h"

namespace cce::protocol {

constexpr size_t kMaxLaunchDocument = size_t{64} << 10;

struct LaunchDocument {
  std::string suite;               // crypto::kHpkeSuite
  std::string credential;          // purpose "keys"
  Digest32 identity_key{};         // crypto::KeyId of cced's identity key
  Digest32 tls_key{};              // SHA-256 of the SubjectPublicKeyInfo that cced's TLS presents
  std::vector<std::string> names;  // what the relay may resolve
  JobLimits limits;
};

Bytes EncodeLaunchDocument(const LaunchDocument& document);
Result<LaunchDocument> DecodeLaunchDocument(ByteView bytes);
ByteArray<48> LaunchDocumentMrConfigId(ByteView bytes);
ByteArray<32> LaunchDocumentHostData(ByteView bytes);

}  // namespace cce::protocol
