// Signed documents: DSSE envelopes (secure-systems-lab/dsse v1.0.2) and JWT in one fixed form (RFC
// 7519, ES256). Both sign with the identity key (P-256); bytes are signed as sent, never
// re-serialised.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/p256.h"

namespace cce::crypto {

// SHA-256 of the SEC1 uncompressed public key: a key's name.
ByteArray<32> KeyId(const P256PublicKey& key);

// {"payload": base64, "payloadType": TYPE, "signatures": [{"keyid": hex KeyId, "sig": base64 of
// r||s}]}
Result<std::string> DsseSign(const P256PrivateKey& key, std::string_view payload_type,
                             ByteView payload);
// The payload, if the envelope has exactly `payload_type` and a good signature by `key`.
// Errors: input.malformed, crypto.bad_signature.
Result<Bytes> DsseVerify(std::string_view envelope, std::string_view payload_type,
                         const P256PublicKey& key);

// header {"alg":"ES256","typ":TYP,"kid":hex KeyId}. `claims` is a JSON object's text.
Result<std::string> JwtSign(const P256PrivateKey& key, std::string_view typ,
                            std::string_view claims);
// The claims' text; refuses every header but that one form (no alg choice, no crit, no jwk). Expiry
// is the caller's.
Result<std::string> JwtVerify(std::string_view token, std::string_view typ,
                              const P256PublicKey& key);

}  // namespace cce::crypto
