#include "crypto/signed.h"

#include "base/json.h"
#include "crypto/hash.h"

namespace cce::crypto {
namespace {

constexpr size_t kMaxEnvelope = size_t{32} << 20;
constexpr size_t kMaxToken = size_t{1} << 16;

// DSSE's pre-authentication encoding.
Bytes PreAuthEncoding(std::string_view type, ByteView payload) {
  Bytes out = ToBytes("DSSEv1 " + std::to_string(type.size()) + " ");
  Append(out, AsBytes(type));
  Append(out, AsBytes(" " + std::to_string(payload.size()) + " "));
  Append(out, payload);
  return out;
}

std::string JwtHeaderStart(std::string_view typ) {
  return R"({"alg":"ES256","typ":)" + ToJson(json::string(typ)) + R"(,"kid":")";
}

Result<> CheckClaims(std::string_view claims) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(claims));
  if (!value.is_object()) return Fail("input.malformed", "a token's claims are no JSON object");
  return {};
}

// Errors tell another form (input.malformed) from the right form by another key
// (crypto.bad_signature).
Result<> CheckJwtHeader(std::string_view part, std::string_view typ, const P256PublicKey& key) {
  ASSIGN_OR_RETURN(const Bytes bytes, FromBase64Url(part));
  const std::string_view header = AsText(bytes);
  const std::string start = JwtHeaderStart(typ);
  constexpr std::string_view kEnd = R"("})";
  if (header.size() != start.size() + 64 + kEnd.size() || !header.starts_with(start) ||
      !header.ends_with(kEnd)) {
    return Fail(MakeError("input.malformed", "a token's header has another form")
                    .Expected(start + "<64 hex digits>\"}"));
  }
  if (header.substr(start.size(), 64) != ToHex(KeyId(key))) {
    return Fail("crypto.bad_signature", "a token names another key than the one expected");
  }
  return {};
}

}  // namespace

ByteArray<32> KeyId(const P256PublicKey& key) { return Sha256(key); }

Result<std::string> DsseSign(const P256PrivateKey& key, std::string_view payload_type,
                             ByteView payload) {
  ASSIGN_OR_RETURN(const P256Signature signature, key.Sign(PreAuthEncoding(payload_type, payload)));
  const json::value envelope = {
      {"payload", ToBase64(payload)},
      {"payloadType", payload_type},
      {"signatures", json::array{json::object{{"keyid", ToHex(KeyId(key.public_key()))},
                                              {"sig", ToBase64(signature)}}}},
  };
  return ToJson(envelope);
}

Result<Bytes> DsseVerify(std::string_view envelope, std::string_view payload_type,
                         const P256PublicKey& key) {
  ASSIGN_OR_RETURN(const Document document,
                   ParseJsonDocument(envelope, "envelope", {.max_bytes = kMaxEnvelope}));
  Fields fields(document);
  Bytes payload = fields.Base64("payload", kMaxEnvelope);
  const std::string type = fields.String("payloadType", {.min = 1, .max = 256});
  std::string key_id;
  Bytes signature;
  for (Fields& item : fields.Objects("signatures", {.min = 1, .max = 1})) {
    key_id = item.String("keyid", {.min = 64, .max = 64});
    signature = item.Base64("sig", 64);
  }
  TRY(fields.Finish());
  if (type != payload_type) {
    return Fail(MakeError("input.malformed", "a signed document is of another type")
                    .Expected(std::string(payload_type))
                    .Found(type));
  }
  if (key_id != ToHex(KeyId(key))) {
    return Fail("crypto.bad_signature",
                "a document is signed by another key than the one expected");
  }
  TRY(P256Verify(key, PreAuthEncoding(type, payload), signature));
  return payload;
}

Result<std::string> JwtSign(const P256PrivateKey& key, std::string_view typ,
                            std::string_view claims) {
  TRY(CheckClaims(claims));
  const std::string header = JwtHeaderStart(typ) + ToHex(KeyId(key.public_key())) + R"("})";
  std::string token = ToBase64Url(AsBytes(header)) + "." + ToBase64Url(AsBytes(claims));
  ASSIGN_OR_RETURN(const P256Signature signature, key.Sign(AsBytes(token)));
  return token + "." + ToBase64Url(signature);
}

Result<std::string> JwtVerify(std::string_view token, std::string_view typ,
                              const P256PublicKey& key) {
  if (token.size() > kMaxToken) return Fail("input.too_large", "a token exceeds 64 KiB");
  const size_t first = token.find('.');
  const size_t second = token.rfind('.');
  if (std::ranges::count(token, '.') != 2) {
    return Fail("input.malformed", "a token must have three parts");
  }
  TRY(CheckJwtHeader(token.substr(0, first), typ, key));
  ASSIGN_OR_RETURN(const Bytes signature, FromBase64Url(token.substr(second + 1)));
  TRY(P256Verify(key, AsBytes(token.substr(0, second)), signature));
  ASSIGN_OR_RETURN(const Bytes claims, FromBase64Url(token.substr(first + 1, second - first - 1)));
  TRY(CheckClaims(AsText(claims)));
  return std::string(AsText(claims));
}

}  // namespace cce::crypto
