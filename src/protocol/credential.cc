#include "protocol/credential.h"

namespace cce::protocol {
namespace {

Result<JobCredential> ParseClaims(std::string_view claims) {
  ASSIGN_OR_RETURN(const Document document, ParseJsonDocument(claims, "credential"));
  Fields f(document);
  JobCredential c;
  const std::string purpose = f.Choice("purpose", {"keys", "submit"});
  c.purpose = purpose == "submit" ? CredentialPurpose::kSubmit : CredentialPurpose::kKeys;
  c.nonce = HexField<16>(f, "jti");
  c.issued_at = static_cast<UnixSeconds>(f.Uint("iat", {.max = INT64_MAX}));
  c.expires_at = static_cast<UnixSeconds>(f.Uint("exp", {.max = INT64_MAX}));
  c.wallet = HexField<20>(f, "sub");
  c.job = HexField<16>(f, "job");
  c.attempt = static_cast<uint32_t>(f.Uint("attempt", {.min = 1, .max = UINT32_MAX}));
  c.job_spec = HexField<32>(f, "job_spec");
  c.image_digest = f.String("image", {.min = 71, .max = 71});
  for (Fields& item : f.Objects("inputs", {.min = 1, .max = 16})) {
    c.inputs.push_back({HexField<20>(item, "dataset"), HexField<32>(item, "snapshot")});
  }
  if (c.purpose == CredentialPurpose::kSubmit) c.release_key = HexField<32>(f, "release_key");
  TRY(f.Finish());
  return c;
}

Error Invalid(const Error& cause) {
  Error error = MakeError("credential.invalid", "the Job Credential is not valid");
  error.detail = cause.message;
  return error;
}

}  // namespace

Result<std::string> SignCredential(const JobCredential& c,
                                   const crypto::P256PrivateKey& identity_key) {
  json::array inputs;
  for (const JobCredential::Input& input : c.inputs) {
    inputs.push_back(
        json::object{{"dataset", AddressText(input.dataset)}, {"snapshot", ToHex(input.snapshot)}});
  }
  json::object claims{{"purpose", c.purpose == CredentialPurpose::kSubmit ? "submit" : "keys"},
                      {"jti", ToHex(c.nonce)},
                      {"iat", c.issued_at},
                      {"exp", c.expires_at},
                      {"sub", AddressText(c.wallet)},
                      {"job", ToHex(c.job)},
                      {"attempt", c.attempt},
                      {"job_spec", ToHex(c.job_spec)},
                      {"image", c.image_digest},
                      {"inputs", std::move(inputs)}};
  if (c.purpose == CredentialPurpose::kSubmit) claims["release_key"] = ToHex(c.release_key);
  return crypto::JwtSign(identity_key, kCredentialType, ToJson(claims));
}

Result<JobCredential> VerifyCredential(std::string_view token,
                                       const crypto::P256PublicKey& identity_key,
                                       CredentialPurpose purpose) {
  const Result<std::string> claims = crypto::JwtVerify(token, kCredentialType, identity_key);
  if (!claims) return Fail(Invalid(claims.error()));
  Result<JobCredential> credential = ParseClaims(*claims);
  if (!credential) return Fail(Invalid(credential.error()));
  if (credential->purpose != purpose) {
    return Fail(MakeError("credential.purpose", "the Job Credential serves another purpose")
                    .Expected(purpose == CredentialPurpose::kKeys ? "keys" : "submit")
                    .Found(purpose == CredentialPurpose::kKeys ? "submit" : "keys"));
  }
  return credential;
}

Result<JobCredential> ReadCredential(std::string_view token) {
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return Fail("credential.invalid", "no JWT");
  ASSIGN_OR_RETURN(const Bytes claims, FromBase64Url(token.substr(first + 1, second - first - 1)));
  return ParseClaims(AsText(claims));
}

}  // namespace cce::protocol
