// Sign-in: an EIP-4361 message over a nonce of cced, for one purpose that its `resources` name; it
// yields a bearer token for that purpose alone, or (for a job) the job itself.
//
//   POST /v1/nonces          {}                 -> {nonce, expires_at}
//   POST /v1/tokens          SignInRequest      -> TokenReply     (purposes upload and owner)
//   DELETE /v1/tokens        bearer             -> {}             (revokes it)
//   POST /v1/jobs            SubmitJobRequest   -> SubmitJobReply
//
// Resources, in this order: urn:cce4long:v1:identity:<sha256 of the identity document>, then one of
//   urn:cce4long:v1:job:<sha256 of the job spec>, urn:cce4long:v1:upload:<dataset>:<draft>,
//   urn:cce4long:v1:owner:<dataset>
#pragma once

#include "base/clock.h"
#include "crypto/hash.h"
#include "protocol/identifiers.h"

namespace cce::protocol {

using DraftId = ByteArray<16>;  // chosen by the client at random

std::string IdentityResource(const Digest32& identity);
std::string JobResource(const Digest32& job_spec);
std::string UploadResource(const DatasetId& dataset, const DraftId& draft);
std::string OwnerResource(const DatasetId& dataset);

struct NonceReply {
  std::string nonce;  // 22 alphanumeric characters
  UnixSeconds expires_at = 0;
};
json::object ToJsonObject(const NonceReply& reply);
Result<NonceReply> ReadNonceReply(std::string_view text);

struct SignInRequest {
  std::string message;  // EIP-4361
  Bytes signature;
};
json::object ToJsonObject(const SignInRequest& request);
Result<SignInRequest> ReadSignInRequest(std::string_view text);

struct TokenReply {
  std::string token;
  UnixSeconds expires_at = 0;
};
json::object ToJsonObject(const TokenReply& reply);
Result<TokenReply> ReadTokenReply(std::string_view text);

struct SubmitJobRequest {
  Bytes job_spec;
  SignInRequest sign_in;
};
json::object ToJsonObject(const SubmitJobRequest& request);
Result<SubmitJobRequest> ReadSubmitJobRequest(std::string_view text);

struct SubmitJobReply {
  JobId job{};
  std::string token;  // bearer: status, result, delivery and cancel of this job
};
json::object ToJsonObject(const SubmitJobReply& reply);
Result<SubmitJobReply> ReadSubmitJobReply(std::string_view text);

}  // namespace cce::protocol
