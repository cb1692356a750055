#include "protocol/sign_in.h"

namespace cce::protocol {
namespace {

constexpr std::string_view kUrn = "urn:cce4long:v1:";

SignInRequest ReadSignInFields(Fields& f) {
  SignInRequest request;
  request.message = f.String("message", {.min = 1, .max = 8192});
  request.signature = f.Hex("signature", 0);
  return request;
}

}  // namespace

std::string IdentityResource(const Digest32& identity) {
  return std::string(kUrn) + "identity:" + ToHex(identity);
}
std::string JobResource(const Digest32& job_spec) {
  return std::string(kUrn) + "job:" + ToHex(job_spec);
}
std::string UploadResource(const DatasetId& dataset, const DraftId& draft) {
  return std::string(kUrn) + "upload:" + AddressText(dataset) + ":" + ToHex(draft);
}
std::string OwnerResource(const DatasetId& dataset) {
  return std::string(kUrn) + "owner:" + AddressText(dataset);
}

json::object ToJsonObject(const NonceReply& reply) {
  return {{"nonce", reply.nonce}, {"expires_at", reply.expires_at}};
}

Result<NonceReply> ReadNonceReply(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "nonce reply"));
  Fields f(document);
  NonceReply reply;
  reply.nonce = f.String("nonce", {.min = 8, .max = 64});
  reply.expires_at = static_cast<UnixSeconds>(f.Uint("expires_at", {.max = INT64_MAX}));
  TRY(f.Finish());
  return reply;
}

json::object ToJsonObject(const SignInRequest& request) {
  return {{"message", request.message}, {"signature", ToHex(request.signature)}};
}

Result<SignInRequest> ReadSignInRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "sign-in request"));
  Fields f(document);
  SignInRequest request = ReadSignInFields(f);
  TRY(f.Finish());
  return request;
}

json::object ToJsonObject(const TokenReply& reply) {
  return {{"token", reply.token}, {"expires_at", reply.expires_at}};
}

Result<TokenReply> ReadTokenReply(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "token reply"));
  Fields f(document);
  TokenReply reply;
  reply.token = f.String("token", {.min = 16, .max = 256});
  reply.expires_at = static_cast<UnixSeconds>(f.Uint("expires_at", {.max = INT64_MAX}));
  TRY(f.Finish());
  return reply;
}

json::object ToJsonObject(const SubmitJobRequest& request) {
  return {{"job_spec", ToBase64(request.job_spec)}, {"sign_in", ToJsonObject(request.sign_in)}};
}

Result<SubmitJobRequest> ReadSubmitJobRequest(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(text, "job request", {.max_bytes = size_t{2} << 20}));
  Fields f(document);
  SubmitJobRequest request;
  request.job_spec = f.Base64("job_spec", 1 << 20);
  Fields sign_in = f.Object("sign_in");
  request.sign_in = ReadSignInFields(sign_in);
  TRY(f.Finish());
  return request;
}

json::object ToJsonObject(const SubmitJobReply& reply) {
  return {{"job", ToHex(reply.job)}, {"token", reply.token}};
}

Result<SubmitJobReply> ReadSubmitJobReply(std::string_view text) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(text, "job reply"));
  Fields f(document);
  SubmitJobReply reply;
  reply.job = HexField<16>(f, "job");
  reply.token = f.String("token", {.min = 16, .max = 256});
  TRY(f.Finish());
  return reply;
}

}  // namespace cce::protocol
